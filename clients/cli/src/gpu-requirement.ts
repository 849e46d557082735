/** GPU requirements in flags and files, with the field names of the API's `GpuRequirementInput`. */
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { pairOf } from './flags.js';
import type { GpuRequirementInput, GpuVendor } from './operations.generated.js';

type Kind = 'whole' | 'flag' | 'text' | 'texts' | 'vendor';

const vendors = ['NVIDIA', 'AMD', 'INTEL'] as const satisfies readonly GpuVendor[];

const kinds = {
  count: 'whole',
  vendor: 'vendor',
  models: 'texts',
  minMemoryMiB: 'whole',
  minComputeCapability: 'text',
  cudaRuntime: 'text',
  isNewDriverFeatureRequired: 'flag',
  hasCompatPackage: 'flag',
  minDriverVersion: 'text',
  rocmRuntime: 'text',
  gfxTargets: 'texts',
  sassTargets: 'texts',
  ptxTargets: 'texts',
  ptxToolkit: 'text',
  migProfile: 'text',
  migFraction: 'whole',
  share: 'whole',
  shareMemoryMiB: 'whole',
  isEccRequired: 'flag',
  isExclusive: 'flag',
  isNvlinkRequired: 'flag',
  isOptional: 'flag',
} as const satisfies Readonly<Record<keyof GpuRequirementInput, Kind>>;

const isField = (name: string): name is keyof typeof kinds => Object.hasOwn(kinds, name);

// YAML drops the last zero of a number: 12.10 would be 12.1.
const quoted = z.string('must be a text in quotes');
const inFile: Readonly<Record<Kind, z.ZodType>> = {
  whole: z.int(),
  flag: z.boolean(),
  vendor: z.enum(vendors),
  text: quoted,
  texts: z.array(quoted, 'must be a list such as [A100, H100]'),
};

/** The `gpu` section of a file; the API validates the values. */
export const gpuSection = z.strictObject(
  Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, inFile[kind].optional()])),
) as unknown as z.ZodType<GpuRequirementInput>;

/**
 * A parser of the repeated flag that takes `name=value`; lists are separated by commas or given in several
 * flags.
 */
export function collectGpu(text: string, before: GpuRequirementInput = {}): GpuRequirementInput {
  const { key, value } = pairOf(text);
  if (!isField(key)) throw new InvalidArgumentError(`Must be one of ${Object.keys(kinds).join(', ')}.`);
  const known = before[key];
  if (Array.isArray(known)) return { ...before, [key]: [...known, ...listOf(value)] };
  if (known !== undefined) throw new InvalidArgumentError(`${key} is given twice.`);
  return { ...before, [key]: parsers[kinds[key]](value) };
}

const listOf = (value: string): string[] => value.split(',').map((word) => word.trim());

const parsers: Readonly<Record<Kind, (value: string) => unknown>> = {
  texts: listOf,
  text: (value) => value,
  vendor: (value) => {
    const vendor = value.toUpperCase();
    if (vendors.some((known) => known === vendor)) return vendor;
    throw new InvalidArgumentError(`Must be one of ${vendors.join(', ')}.`);
  },
  whole: (value) => {
    if (/^\d{1,9}$/.test(value)) return Number(value);
    throw new InvalidArgumentError('Must be a whole number.');
  },
  flag: (value) => {
    if (value === 'true' || value === 'false') return value === 'true';
    throw new InvalidArgumentError('Must be true or false.');
  },
};
