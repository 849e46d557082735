/** Lookups in the catalogue: models by PCI id and name, CUDA releases by version. Pure data, built once. */
import { amdModels, intelModels } from './amd-intel-models.js';
import type { CapabilityRow, CudaFamilyRow, CudaReleaseRow, GpuModelRow } from './catalogue.types.js';
import { capabilities, cudaFamilies, cudaReleases } from './cuda-releases.js';
import { nvidiaModels } from './nvidia-models.js';
import { compareVersions } from './versions.js';

/** Grows with each change of a row; answers include it, so that their basis is known. */
export const catalogueVersion = '2026.11.5';

/** All models. */
export const gpuModels: readonly GpuModelRow[] = [...nvidiaModels, ...amdModels, ...intelModels];

/**
 * Returns the name without the parts that tools add or leave out: equal for `NVIDIA A100-SXM4-40GB` and
 * `nvidia_a100-sxm4-40gb`.
 */
export function plainName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[-_ ]mig[-_ ].*$/, '')
    .replace(/-shared$/, '')
    .replace(/_|\((r|tm|nvgpu)\)/g, ' ')
    .replace(/\b(nvidia|amd|intel|tesla|instinct|geforce|radeon|corporation)\b/g, ' ')
    .replace(/[^a-z0-9+]+/g, ' ')
    .trim()
    .replace(/ generation$/, '')
    .replace(/ /g, '');
}

const byPciId = new Map<string, GpuModelRow[]>();
const byName = new Map<string, GpuModelRow>();
const byTerm = new Map<string, Set<GpuModelRow>>();
for (const row of gpuModels) {
  for (const id of [...row.pciIds, ...row.strayPciIds]) byPciId.set(id, [...(byPciId.get(id) ?? []), row]);
  for (const name of [row.name, ...row.aliases]) byName.set(plainName(name), row);
  for (const term of [row.name, ...row.aliases, ...row.families]) {
    const rows = byTerm.get(plainName(term)) ?? new Set();
    byTerm.set(plainName(term), rows.add(row));
  }
}

/** Facts of a device that identify its model. */
export interface ModelFacts {
  readonly model: string;
  readonly pciId?: string | undefined;
}

/** A model, or the common facts of all models that a device may be. */
interface Candidates {
  readonly rows: readonly GpuModelRow[];
  readonly common: GpuModelRow | undefined;
}

const noCandidates: Candidates = { rows: [], common: undefined };
const byRow = new Map(gpuModels.map((row) => [row, { rows: [row], common: row }]));
const found = new Map<string, Candidates>();
const maxRemembered = 4096;

function candidatesOf({ model, pciId }: ModelFacts): Candidates {
  const id = pciId?.toLowerCase();
  const ids = id === undefined ? undefined : byPciId.get(id);
  const only = ids?.length === 1 ? ids[0] : undefined;
  if (only) return byRow.get(only) ?? noCandidates;
  const key = ids === undefined ? model : `${id ?? ''} ${model}`;
  const known = found.get(key);
  if (known) return known;
  const made = findCandidates(model, id, ids);
  if (found.size >= maxRemembered) found.clear();
  found.set(key, made);
  return made;
}

/**
 * If several models share the PCI id, the name decides; otherwise those for which it is the primary id
 * remain.
 */
function findCandidates(
  model: string,
  id: string | undefined,
  ids: readonly GpuModelRow[] | undefined,
): Candidates {
  const named = modelsCalled(model);
  const both = ids?.filter((row) => named.includes(row)) ?? named;
  const rows = both.length > 0 ? both : (ids ?? []).filter(({ pciIds }) => pciIds.includes(id ?? ''));
  const [first] = rows;
  if (!first) return noCandidates;
  const only = rows.length === 1 ? byRow.get(first) : undefined;
  return only ?? { rows, common: commonOf(rows, model) };
}

/**
 * Models that a device may be by its name; also names from the list of PCI ids: `GA100 [A100 SXM4 40GB]`,
 * `[Instinct MI250X/MI250]`.
 */
function modelsCalled(name: string): readonly GpuModelRow[] {
  const own = byName.get(plainName(name));
  if (own) return [own];
  const known = [...modelsNamed(name)];
  const listed = /\[([^\]]+)\]$/.exec(name.trim())?.[1];
  if (known.length > 0 || listed === undefined) return known;
  const each = listed.split('/').map(modelsCalled);
  // One of the listed models is not in the catalogue, and the device may be that one.
  return each.some((rows) => rows.length === 0) ? [] : [...new Set(each.flat())];
}

/** Facts that all of the rows share; facts that differ are left out. */
function commonOf(rows: readonly GpuModelRow[], name: string): GpuModelRow | undefined {
  const [first] = rows;
  if (!first) return undefined;
  const isAlike = (key: string): boolean => {
    const own = JSON.stringify(first[key as keyof GpuModelRow]);
    return rows.every((row) => JSON.stringify(row[key as keyof GpuModelRow]) === own);
  };
  const alike = Object.fromEntries(Object.entries(first).filter(([key]) => isAlike(key)));
  const family = first.families.find((term) => rows.every(({ families }) => families.includes(term)));
  return {
    ...nothingKnown,
    vendor: first.vendor,
    ...alike,
    name: family ?? name,
    families: family ? [family] : [],
  };
}

/** Facts of a model about which nothing is known. */
const nothingKnown = {
  architecture: 'unknown',
  aliases: [],
  isEccInMemory: false,
  reportedMiB: [],
  pciIds: [],
  strayPciIds: [],
  gpusPerCard: 1,
  migSlices: 0,
  migInstances: 0,
  migProfiles: [],
  partitions: [],
  isDataCenter: false,
  sources: [],
  confidence: 'HIGH',
  uncertain: [],
} as const;

/**
 * Returns the row of a device by its PCI id, else by its name. If that is the name of a family, or an id that
 * several models share, returns the common facts of all of them. Undefined if the catalogue does not know it.
 */
export function modelOf(device: ModelFacts): GpuModelRow | undefined {
  return candidatesOf(device).common;
}

/** Returns the one row with this name; undefined if there is none or more than one. */
export function modelNamed(name: string): GpuModelRow | undefined {
  const { rows } = candidatesOf({ model: name });
  return rows.length === 1 ? rows[0] : undefined;
}

/** Returns the row with this primary PCI id, the first if several share it. */
export function modelWithId(pciId: string): GpuModelRow | undefined {
  const id = pciId.toLowerCase();
  return byPciId.get(id)?.find(({ pciIds }) => pciIds.includes(id));
}

/**
 * Returns the rows for a term: a model, or all variants of a family; empty if the catalogue does not know it.
 */
export function modelsNamed(term: string): ReadonlySet<GpuModelRow> {
  return byTerm.get(plainName(term)) ?? nothing;
}

const nothing: ReadonlySet<GpuModelRow> = new Set();

/** Returns true if the term names the device: each model that it may be, or its own name. */
export function isNamed(term: string, device: ModelFacts): boolean {
  const { rows } = candidatesOf(device);
  const wanted = modelsNamed(term);
  if (rows.length > 0 && rows.every((row) => wanted.has(row))) return true;
  return plainName(term) === plainName(device.model);
}

/**
 * Returns the row with the native driver of a runtime: its own row, or the next known release for an unknown
 * one; undefined for a runtime newer than the catalogue.
 * @param runtime for example `12.4`, or `12.4.1` for an update
 */
export function cudaRelease(runtime: string): CudaReleaseRow | undefined {
  if (releases.has(runtime)) return releases.get(runtime);
  const row = findRelease(runtime);
  if (releases.size >= maxRemembered) releases.clear();
  releases.set(runtime, row);
  return row;
}

const releases = new Map<string, CudaReleaseRow | undefined>();

/** Up to this major version, the third number is a build, and a driver supports all builds of a release. */
const lastOfBuilds = 10;
/** Updates have one digit: a larger number is a build. */
const mostUpdates = 9;

function findRelease(runtime: string): CudaReleaseRow | undefined {
  const [major = '', minor = '0', part = '0'] = runtime.split('.');
  const version = `${Number(major)}.${Number(minor)}`;
  const update = Number(part);
  // Releases are sorted, newest first.
  const known = cudaReleases.filter((row) => row.version === version);
  const exact = known.find((row) => row.update === update);
  if (exact) return exact;
  if (known.length > 0 && Number(major) <= lastOfBuilds) return known.find((row) => row.update <= update);
  if (known.length > 0 && update > mostUpdates) return known[0];
  const later = cudaReleases.filter(
    (row) => compareVersions(row.version, version) > 0 || (row.version === version && row.update > update),
  );
  return later[later.length - 1];
}

/** Common facts of the toolkits of a major version. */
export function cudaFamily(major: number): CudaFamilyRow | undefined {
  return cudaFamilies.find((row) => row.major === major);
}

/**
 * Newest CUDA version that a driver supports by itself; undefined if the driver is older than all in the
 * catalogue.
 */
export function cudaOfDriver(driver: string): string | undefined {
  return cudaReleases.find((row) => compareVersions(driver, row.driver) >= 0)?.version;
}

/** Facts of a compute capability. */
export function capabilityRow(capability: string): CapabilityRow | undefined {
  return capabilities.find((row) => row.capability === capability);
}
