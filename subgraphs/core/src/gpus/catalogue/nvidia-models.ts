/**
 * Models of NVIDIA, built from the rows of `nvidia-rows.ts` and the facts that follow from their capability.
 */
import type { GpuModelRow } from './catalogue.types.js';
import { capabilities } from './cuda-releases.js';
import { migProfiles, slicesOf } from './mig-profiles.js';
import { nvidiaRows } from './nvidia-rows.js';
import type { SourceKey } from './sources.js';

const architectures = new Map(capabilities.map(({ capability, architecture }) => [capability, architecture]));

/** All models of NVIDIA. */
export const nvidiaModels: readonly GpuModelRow[] = nvidiaRows.map(
  ([name, computeCapability, memoryGB, devices, details = {}]) => {
    const { reportedMiB = [], memory, legacy = false, chip } = details;
    const profiles = details.mig ? migProfiles[details.mig] : migProfiles.none;
    const isMemoryUnsourced = memoryGB !== undefined && memory === undefined;
    const uncertain = [...(details.uncertain ?? []), ...(isMemoryUnsourced ? ['memoryGB'] : [])];
    const table = computeCapability === '10.7' ? 'CUDARN' : legacy ? 'CCL' : 'CC';
    const found: SourceKey[] = [details.capability ?? table];
    if (devices.length > 0) found.push('PCI');
    if (memory) found.push(memory);
    found.push(...(details.reported ?? []));
    if (details.isEccInMemory) found.push('ECCMEM');
    if (profiles.length > 0) found.push(...(details.profiles ?? (['MIGP', 'MIGPARTED'] as const)));
    if (details.migInstances && !uncertain.includes('migInstances')) found.push('MIGU');
    if (uncertain.length > 0) found.push('COMMON');
    return {
      name,
      vendor: 'NVIDIA',
      families: [...new Set([...(details.families ?? []), ...familiesOf(name)])],
      aliases: details.aliases ?? [],
      architecture: architectures.get(computeCapability) ?? 'unknown',
      ...(chip === undefined ? {} : { chip }),
      computeCapability,
      ...(memoryGB === undefined ? {} : { memoryGB }),
      isEccInMemory: details.isEccInMemory ?? false,
      reportedMiB,
      pciIds: devices.map((device) => `10de:${device}`),
      strayPciIds: [],
      gpusPerCard: details.gpusPerCard ?? 1,
      migSlices: details.migSlices ?? slicesOf(profiles),
      migInstances: details.migInstances ?? Math.max(0, ...profiles.map(({ maxInstances }) => maxInstances)),
      migProfiles: profiles,
      partitions: [],
      isDataCenter: details.isDataCenter ?? true,
      sources: [...new Set(found)],
      confidence: uncertain.length > 0 ? 'LOW' : 'HIGH',
      uncertain,
    };
  },
);

/**
 * Shorter names for a name with form factor and memory: `A100-SXM4-80GB` is also `A100`, `A100-SXM4`,
 * `A100-SXM`, `A100-80GB` and so on.
 */
function familiesOf(name: string): readonly string[] {
  const [, model, form, size] = /^([A-Z]+\d+S?)(?:-(SXM\d?|PCIE|NVL))?(?:-(\d+)GB)?$/.exec(name) ?? [];
  if (model === undefined || (form === undefined && size === undefined)) return [];
  const forms = form === undefined ? [] : [...new Set([form, form.replace(/^SXM\d$/, 'SXM')])];
  const sizes = size === undefined ? [] : [`${size}GB`, `${size}G`, size];
  const both = forms.flatMap((one) => sizes.map((amount) => `${model}-${one}-${amount}`));
  return [model, ...[...forms, ...sizes].map((part) => `${model}-${part}`), ...both].filter(
    (term) => term !== name,
  );
}
