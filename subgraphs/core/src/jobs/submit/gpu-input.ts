/**
 * Checks GPU requirements: their form, and whether any device could meet them. A job that no device can run
 * would wait forever.
 */
import { modelsNamed } from '../../gpus/catalogue/catalogue.js';
import { genericTargets } from '../../gpus/catalogue/rocm-releases.js';
import type { GpuSpec } from './submit.types.js';
import type { JobInputErrors } from './job-input-error.types.js';

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
export function checkGpu(spec: GpuSpec, path: Path, errors: JobInputErrors): void {
  errors.int([...path, 'count'], spec.count ?? 1, 1, 64);
  if (spec.vendor != null && !vendors.includes(spec.vendor))
    errors.add([...path, 'vendor'], spec.vendor, vendors.join(', '));
  if (spec.minMemoryMiB != null) errors.int([...path, 'minMemoryMiB'], spec.minMemoryMiB, 1, 16_777_216);
  checkVersions(spec, path, errors);
  checkTargets(spec, path, errors);
  checkParts(spec, path, errors);
  checkVendors(spec, path, errors);
}

function checkVersions(spec: GpuSpec, path: Path, errors: JobInputErrors): void {
  const forms = [
    ['minComputeCapability', capability, 'a compute capability such as 8.0'],
    ['cudaRuntime', version, 'a version such as 12.4 or 12.4.1'],
    ['ptxToolkit', version, 'a version such as 12.4 or 12.4.1'],
    ['rocmRuntime', version, 'a version such as 6.2 or 6.2.4'],
    ['minDriverVersion', driver, 'a version such as 575.51.03'],
  ] as const;
  for (const [name, form, expected] of forms) {
    const value = spec[name];
    if (value != null) errors.form([...path, name], value, form, expected);
  }
}

function checkTargets(spec: GpuSpec, path: Path, errors: JobInputErrors): void {
  const generic = Object.keys(genericTargets);
  const isGfx = (value: string): boolean =>
    gfx.test(value) || generic.includes(value.split(':')[0]?.toLowerCase() ?? '');
  const forms = [
    ['models', () => true, ''],
    [
      'sassTargets',
      (value: string) => sass.test(value),
      'a SASS target such as sm_80; PTX goes into ptxTargets',
    ],
    [
      'ptxTargets',
      (value: string) => ptx.test(value),
      'a PTX target such as compute_80; SASS goes into sassTargets',
    ],
    ['gfxTargets', isGfx, `a target such as gfx90a or gfx90a:xnack-, or one of ${generic.join(', ')}`],
  ] as const;
  for (const [name, isForm, expected] of forms) {
    const values = spec[name] ?? [];
    errors.list([...path, name], values, 100);
    values.forEach((value, position) => {
      const at = [...path, name, position];
      if (isForm(value.trim())) errors.verbatim(at, value, 1, 100);
      else errors.add(at, value, expected);
    });
  }
  const isToolkitGiven = spec.ptxToolkit != null || spec.cudaRuntime != null;
  if ((spec.ptxTargets ?? []).length > 0 && (spec.sassTargets ?? []).length === 0 && !isToolkitGiven)
    errors.add(
      [...path, 'ptxToolkit'],
      null,
      'the CUDA toolkit that made the PTX, such as 12.4, or a cudaRuntime: drivers compile the PTX of their own toolkit and older ones',
    );
}

/**
 * Checks a part of a device: either a MIG slice or a share. A share is part of a single device, which other
 * jobs use, too.
 */
function checkParts(spec: GpuSpec, path: Path, errors: JobInputErrors): void {
  const { migProfile, migFraction, share, shareMemoryMiB } = spec;
  if (migProfile != null)
    errors.form(
      [...path, 'migProfile'],
      migProfile.trim(),
      profile,
      'a MIG profile such as 1g.10gb or 1g.10gb+me',
    );
  if (migFraction != null) errors.int([...path, 'migFraction'], migFraction, 1, 1000);
  if (share != null) errors.int([...path, 'share'], share, 1, 1000);
  if (shareMemoryMiB != null) errors.int([...path, 'shareMemoryMiB'], shareMemoryMiB, 1, 16_777_216);
  if (share != null && (migProfile != null || migFraction != null))
    errors.add([...path, 'share'], share, 'either a share of a device or a MIG profile, not both');
  if (migProfile != null && migFraction != null)
    errors.add([...path, 'migFraction'], migFraction, 'either a MIG profile or a fraction, not both');
  if (spec.isNvlinkRequired && (spec.count ?? 1) > 1 && (migProfile != null || migFraction != null))
    errors.add(
      [...path, 'isNvlinkRequired'],
      true,
      'absent with a part of a device: only whole devices have NVLink',
    );
  if (share == null) {
    if (shareMemoryMiB != null)
      errors.add([...path, 'shareMemoryMiB'], shareMemoryMiB, 'absent without share');
    return;
  }
  if ((spec.count ?? 1) !== 1)
    errors.add([...path, 'count'], spec.count, '1 with share: a share is part of a single device');
  if (spec.isExclusive) errors.add([...path, 'isExclusive'], true, 'false with share');
}

/** Rejects combinations of conditions that only devices of different vendors can meet. */
function checkVendors(spec: GpuSpec, path: Path, errors: JobInputErrors): void {
  let first: { readonly vendor: string; readonly name: string } | undefined;
  for (const { name, at = [name], value, vendor } of vendorTerms(spec)) {
    first ??= { vendor, name };
    if (vendor === first.vendor) continue;
    const conflict =
      first.name === 'vendor'
        ? `vendor ${first.vendor}`
        : `${first.name}, which only ${first.vendor} devices have`;
    errors.add([...path, ...at], value, `absent with ${conflict}: only ${vendor} devices have it`);
  }
}

interface VendorTerm {
  readonly name: string;
  readonly at?: Path;
  readonly value: unknown;
  readonly vendor: string;
}

const ofVendor = {
  NVIDIA: ['cudaRuntime', 'minComputeCapability', 'sassTargets', 'ptxTargets', 'ptxToolkit', 'migProfile'],
  AMD: ['rocmRuntime', 'gfxTargets'],
} as const;

/** Conditions that imply a vendor, the most reliable first. */
function vendorTerms(spec: GpuSpec): readonly VendorTerm[] {
  const found: VendorTerm[] = [];
  if (spec.vendor != null && vendors.includes(spec.vendor))
    found.push({ name: 'vendor', value: spec.vendor, vendor: spec.vendor });
  found.push(...modelTerms(spec.models ?? []));
  for (const [vendor, names] of Object.entries(ofVendor))
    for (const name of names) {
      const value = spec[name];
      if (value != null && (typeof value === 'string' || value.length > 0))
        found.push({ name, value, vendor });
    }
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
