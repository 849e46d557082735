/** The catalogue as it is looked up: models by PCI id and name, CUDA releases by version. Pure data, made once. */
import { amdModels, intelModels } from './amd-intel-models.js';
import type { CapabilityRow, CudaFamilyRow, CudaReleaseRow, GpuModelRow } from './catalogue.types.js';
import { capabilities, cudaFamilies, cudaReleases } from './cuda-releases.js';
import { nvidiaModels } from './nvidia-models.js';
import { compareVersions } from './versions.js';

/** Grows with each change of a row; answers name it, so that one can tell what they rest on. */
export const catalogueVersion = '2026.11.3';

/** All models. */
export const gpuModels: readonly GpuModelRow[] = [...nvidiaModels, ...amdModels, ...intelModels];

/** A name without what tools add or leave out: `NVIDIA A100-SXM4-40GB` and `nvidia_a100-sxm4-40gb` are one. */
export function plainName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[-_ ]mig[-_ ].*$/, '')
    .replace(/_|\((r|tm)\)/g, ' ')
    .replace(/\b(nvidia|amd|intel|tesla|instinct|corporation)\b/g, ' ')
    .replace(/[^a-z0-9+]+/g, ' ')
    .replace(/ generation$/, '')
    .trim()
    .replace(/ /g, '');
}

const byPciId = new Map(gpuModels.flatMap((row) => row.pciIds.map((id) => [id, row] as const)));
const byName = new Map<string, GpuModelRow>();
const byWord = new Map<string, Set<GpuModelRow>>();
for (const row of gpuModels) {
  for (const name of [row.name, ...row.aliases]) byName.set(plainName(name), row);
  for (const word of [row.name, ...row.aliases, ...row.families]) {
    const rows = byWord.get(plainName(word)) ?? new Set();
    byWord.set(plainName(word), rows.add(row));
  }
}

/** What a device tells of its model. */
export interface ModelFacts {
  readonly model: string;
  readonly pciId?: string | undefined;
}

const found = new Map<string, GpuModelRow | undefined>();
const maxRemembered = 4096;

/** The row of a device: by its PCI id, or else by its name; undefined where the catalogue does not know it. */
export function modelOf({ model, pciId }: ModelFacts): GpuModelRow | undefined {
  const byId = pciId === undefined ? undefined : byPciId.get(pciId.toLowerCase());
  if (byId) return byId;
  if (found.has(model)) return found.get(model);
  const row = byName.get(plainName(model)) ?? onlyOne(byWord.get(plainName(model)));
  if (found.size >= maxRemembered) found.clear();
  found.set(model, row);
  return row;
}

/** Rows that a word stands for: a model, or all variants of a family; empty where the catalogue does not know it. */
export function modelsNamed(word: string): ReadonlySet<GpuModelRow> {
  return byWord.get(plainName(word)) ?? nothing;
}

const nothing: ReadonlySet<GpuModelRow> = new Set();

function onlyOne(rows: ReadonlySet<GpuModelRow> | undefined): GpuModelRow | undefined {
  return rows?.size === 1 ? [...rows][0] : undefined;
}

/**
 * The row that tells the native driver of a runtime: its own, or, for an update that is not known, the next one that is; undefined for one that
 * is newer than the catalogue.
 * @param runtime as `12.4`, or `12.4.1` for an update
 */
export function cudaRelease(runtime: string): CudaReleaseRow | undefined {
  if (releases.has(runtime)) return releases.get(runtime);
  const row = findRelease(runtime);
  if (releases.size >= maxRemembered) releases.clear();
  releases.set(runtime, row);
  return row;
}

const releases = new Map<string, CudaReleaseRow | undefined>();

function findRelease(runtime: string): CudaReleaseRow | undefined {
  const [major = '', minor = '0', update = '0'] = runtime.split('.');
  const version = `${Number(major)}.${Number(minor)}`;
  const known = cudaReleases.filter((row) => row.version === version);
  const exact = known.find((row) => row.update === Number(update));
  if (exact || known.length === 0) return exact;
  // Releases are sorted, the newest first: the one just above the update, within the same major version.
  const later = cudaReleases.filter(
    (row) =>
      row.version.split('.')[0] === String(Number(major)) &&
      (compareVersions(row.version, version) > 0 || (row.version === version && row.update > Number(update))),
  );
  return later[later.length - 1];
}

/** What the toolkits of a major version have in common. */
export function cudaFamily(major: number): CudaFamilyRow | undefined {
  return cudaFamilies.find((row) => row.major === major);
}

/** The newest CUDA version that a driver supports by itself, or undefined for one that is older than all in the catalogue. */
export function cudaOfDriver(driver: string): string | undefined {
  return cudaReleases.find((row) => compareVersions(driver, row.driver) >= 0)?.version;
}

/** What is known of a compute capability. */
export function capabilityRow(capability: string): CapabilityRow | undefined {
  return capabilities.find((row) => row.capability === capability);
}
