/**
 * Checks GPU requirements: their form, and whether any device could meet them. A job that no device can run
 * would wait forever.
 */
import { modelsNamed } from '../../gpus/catalogue/catalogue.js';
import { genericTargets } from '../../gpus/catalogue/rocm-releases.js';
import type { CudaSpec, GpuSpec } from './submit.types.js';
import type { JobValueErrors } from './job-input-error.types.js';

type Path = readonly (string | number)[];

/**
 * Major and minor version. A job that requires 12 but needs 12.4 would be sent to hosts that cannot run it.
 */
const version = /^\d{1,2}\.\d{1,2}(\.\d{1,3})?$/;
const capability = /^\d{1,2}\.\d$/;
const driver = /^\d{1,5}(\.\d{1,5}){0,3}$/;
const sass = /^sm_\d{2,3}[af]?$/i;
const ptx = /^compute_\d{2,3}[af]?$/i;
const gfx = /^gfx[0-9a-f]{3,5}(:(sramecc|xnack)[+-]){0,2}$/i;
/** Profile name as reported by the driver, or as a Kubernetes resource name. */
const profile = /^((nvidia\.com\/)?mig[- ])?(\d+c\.)?\d+g\.\d+gb([+.-](me|gfx)(\.all)?)?$/i;
const vendors = ['NVIDIA', 'AMD', 'INTEL'];

/** Checks GPU requirements. @param path their path in the input */
export function checkGpu(spec: GpuSpec, path: Path, errors: JobValueErrors): void {
  errors.int([...path, 'count'], spec.count ?? 1, 1, 64);
  if (spec.vendor != null && !vendors.includes(spec.vendor))
    errors.add([...path, 'vendor'], spec.vendor, vendors.join(', '));
  if (spec.minMemoryMiB != null) errors.int([...path, 'minMemoryMiB'], spec.minMemoryMiB, 1, 16_777_216);
  checkVersions(spec, path, errors);
  checkTargets(spec, path, errors);
  checkPartition(spec, path, errors);
  checkVendors(spec, path, errors);
}

function checkVersions({ minDriverVersion, cuda, rocm }: GpuSpec, path: Path, errors: JobValueErrors): void {
  const check = (at: Path, value: string | null | undefined, form: RegExp, expected: string): void => {
    if (value != null) errors.form([...path, ...at], value, form, expected);
  };
  check(
    ['cuda', 'minComputeCapability'],
    cuda?.minComputeCapability,
    capability,
    'a compute capability such as 8.0',
  );
  check(['cuda', 'runtime'], cuda?.runtime, version, 'a version such as 12.4 or 12.4.1');
  check(['cuda', 'ptxToolkit'], cuda?.ptxToolkit, version, 'a version such as 12.4 or 12.4.1');
  check(['rocm', 'runtime'], rocm?.runtime, version, 'a version such as 6.2 or 6.2.4');
  check(['minDriverVersion'], minDriverVersion, driver, 'a version such as 575.51.03');
}

function checkTargets({ models, cuda, rocm }: GpuSpec, path: Path, errors: JobValueErrors): void {
  const generic = Object.keys(genericTargets);
  const isGfx = (value: string): boolean =>
    gfx.test(value) || generic.includes(value.split(':')[0]?.toLowerCase() ?? '');
  const lists: readonly [Path, readonly string[] | null | undefined, (value: string) => boolean, string][] = [
    [['models'], models, () => true, ''],
    [
      ['cuda', 'sassTargets'],
      cuda?.sassTargets,
      (value) => sass.test(value),
      'a SASS target such as sm_80; PTX goes into ptxTargets',
    ],
    [
      ['cuda', 'ptxTargets'],
      cuda?.ptxTargets,
      (value) => ptx.test(value),
      'a PTX target such as compute_80; SASS goes into sassTargets',
    ],
    [
      ['rocm', 'gfxTargets'],
      rocm?.gfxTargets,
      isGfx,
      `a target such as gfx90a or gfx90a:xnack-, or one of ${generic.join(', ')}`,
    ],
  ];
  for (const [name, given, isForm, expected] of lists) {
    const values = given ?? [];
    errors.list([...path, ...name], values, 100);
    values.forEach((value, position) => {
      const at = [...path, ...name, position];
      if (isForm(value.trim())) errors.verbatim(at, value, 1, 100);
      else errors.add(at, value, expected);
    });
  }
  if (cuda) checkToolkit(cuda, [...path, 'cuda'], errors);
}

/** Checks that the toolkit of PTX code is known: it decides which drivers compile the code. */
function checkToolkit(cuda: CudaSpec, path: Path, errors: JobValueErrors): void {
  const isToolkitGiven = cuda.ptxToolkit != null || cuda.runtime != null;
  if ((cuda.ptxTargets ?? []).length > 0 && (cuda.sassTargets ?? []).length === 0 && !isToolkitGiven)
    errors.add(
      [...path, 'ptxToolkit'],
      null,
      'the CUDA toolkit that made the PTX, such as 12.4, or a runtime: drivers compile the PTX of their own toolkit and older ones',
    );
}

/** Checks a part of a device. A time share is part of a single device, which other jobs use, too. */
function checkPartition(spec: GpuSpec, path: Path, errors: JobValueErrors): void {
  const { migProfile, migFraction, timeShare } = spec.partition ?? {};
  const at = [...path, 'partition'];
  if (migProfile != null)
    errors.form(
      [...at, 'migProfile'],
      migProfile.trim(),
      profile,
      'a MIG profile such as 1g.10gb or 1g.10gb+me',
    );
  if (migFraction != null) errors.int([...at, 'migFraction'], migFraction, 1, 1000);
  if (spec.isNvlinkRequired && (spec.count ?? 1) > 1 && (migProfile != null || migFraction != null))
    errors.add(
      [...path, 'isNvlinkRequired'],
      true,
      'absent with a part of a device: only whole devices have NVLink',
    );
  if (!timeShare) return;
  const { thousandths, memoryMiB } = timeShare;
  errors.int([...at, 'timeShare', 'thousandths'], thousandths, 1, 1000);
  if (memoryMiB != null) errors.int([...at, 'timeShare', 'memoryMiB'], memoryMiB, 1, 16_777_216);
  if ((spec.count ?? 1) !== 1)
    errors.add(
      [...path, 'count'],
      spec.count,
      '1 with partition.timeShare, which is part of a single device',
    );
  if (spec.isExclusive) errors.add([...path, 'isExclusive'], true, 'false with partition.timeShare');
}

/** Rejects combinations of conditions that only devices of different vendors can meet. */
function checkVendors(spec: GpuSpec, path: Path, errors: JobValueErrors): void {
  let first: VendorTerm | undefined;
  for (const term of vendorTerms(spec)) {
    first ??= term;
    if (term.vendor === first.vendor) continue;
    const conflict =
      first.name === 'vendor'
        ? `vendor ${first.vendor}`
        : `${first.name}, which only ${first.vendor} devices have`;
    errors.add(
      [...path, ...term.at],
      term.value,
      `absent with ${conflict}: only ${term.vendor} devices have it`,
    );
  }
}

interface VendorTerm {
  readonly name: string;
  readonly at: Path;
  readonly value: unknown;
  readonly vendor: string;
}

/** Conditions that imply a vendor, the most reliable first. */
function vendorTerms({ vendor, models, cuda, rocm, partition }: GpuSpec): readonly VendorTerm[] {
  const found: VendorTerm[] = [];
  if (vendor != null && vendors.includes(vendor))
    found.push({ name: 'vendor', at: ['vendor'], value: vendor, vendor });
  found.push(...modelTerms(models ?? []));
  const nvidia = [
    [['cuda', 'runtime'], cuda?.runtime],
    [['cuda', 'minComputeCapability'], cuda?.minComputeCapability],
    [['cuda', 'sassTargets'], cuda?.sassTargets],
    [['cuda', 'ptxTargets'], cuda?.ptxTargets],
    [['cuda', 'ptxToolkit'], cuda?.ptxToolkit],
    [['partition', 'migProfile'], partition?.migProfile],
  ] as const;
  const amd = [
    [['rocm', 'runtime'], rocm?.runtime],
    [['rocm', 'gfxTargets'], rocm?.gfxTargets],
  ] as const;
  for (const [implied, terms] of [
    ['NVIDIA', nvidia],
    ['AMD', amd],
  ] as const)
    for (const [at, value] of terms)
      if (value != null && (typeof value === 'string' || value.length > 0))
        found.push({ name: at.join('.'), at, value, vendor: implied });
  return found;
}

/**
 * Models of several vendors are alternatives and imply no vendor. Models of one vendor imply it if every name
 * is known.
 */
function modelTerms(models: readonly string[]): readonly VendorTerm[] {
  const known = models.map((text) => [...new Set([...modelsNamed(text)].map(({ vendor }) => vendor))]);
  const all = new Set(known.flat());
  if (all.size !== 1 || known.some((own) => own.length === 0)) return [];
  const [vendor = ''] = all;
  return models.slice(0, 1).map((value) => ({ name: 'models', at: ['models', 0], value, vendor }));
}
