/**
 * GPU requirements in flags and files. Files have the form of the API's `GpuRequirementInput`; flags have one
 * name for each of its fields, without groups.
 */
import { gpuVendors } from '@rhizome/client/states';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { CliError, exitCodes } from '../exit-codes.js';
import { pairOf } from './flags.js';
import type {
  CudaRequirementInput,
  GpuPartitionInput,
  GpuRequirementInput,
  GpuVendor,
  RocmRequirementInput,
} from '../operations.generated.js';

type Kind = 'whole' | 'flag' | 'text' | 'texts' | 'vendor';

const vendors: readonly GpuVendor[] = gpuVendors;

interface Field {
  readonly kind: Kind;
  /** Path in `GpuRequirementInput`. */
  readonly path: readonly string[];
}

/** The names of `--gpu name=value`. */
const fields = {
  count: { kind: 'whole', path: ['count'] },
  vendor: { kind: 'vendor', path: ['vendor'] },
  models: { kind: 'texts', path: ['models'] },
  minMemoryMiB: { kind: 'whole', path: ['minMemoryMiB'] },
  minComputeCapability: { kind: 'text', path: ['cuda', 'minComputeCapability'] },
  cudaRuntime: { kind: 'text', path: ['cuda', 'runtime'] },
  isNewDriverFeatureRequired: { kind: 'flag', path: ['cuda', 'isNewDriverFeatureRequired'] },
  hasCompatPackage: { kind: 'flag', path: ['cuda', 'hasCompatPackage'] },
  minDriverVersion: { kind: 'text', path: ['minDriverVersion'] },
  rocmRuntime: { kind: 'text', path: ['rocm', 'runtime'] },
  gfxTargets: { kind: 'texts', path: ['rocm', 'gfxTargets'] },
  sassTargets: { kind: 'texts', path: ['cuda', 'sassTargets'] },
  ptxTargets: { kind: 'texts', path: ['cuda', 'ptxTargets'] },
  ptxToolkit: { kind: 'text', path: ['cuda', 'ptxToolkit'] },
  migProfile: { kind: 'text', path: ['partition', 'migProfile'] },
  migFraction: { kind: 'whole', path: ['partition', 'migFraction'] },
  share: { kind: 'whole', path: ['partition', 'timeShare', 'thousandths'] },
  shareMemoryMiB: { kind: 'whole', path: ['partition', 'timeShare', 'memoryMiB'] },
  isEccRequired: { kind: 'flag', path: ['isEccRequired'] },
  isExclusive: { kind: 'flag', path: ['isExclusive'] },
  isNvlinkRequired: { kind: 'flag', path: ['isNvlinkRequired'] },
  isOptional: { kind: 'flag', path: ['isOptional'] },
} as const satisfies Readonly<Record<string, Field>>;

type Name = keyof typeof fields;
const isName = (name: string): name is Name => Object.hasOwn(fields, name);

/** Values of `--gpu` by name. */
export type GpuFlags = Readonly<Partial<Record<Name, unknown>>>;

// YAML drops the last zero of a number: 12.10 would be 12.1.
const text = z.string('must be a text in quotes').optional();
const texts = z.array(z.string('must be a text in quotes'), 'must be a list such as [A100, H100]').optional();
const whole = z.int().optional();
const flag = z.boolean().optional();

type Shape<T> = Readonly<Record<keyof T, z.ZodType>>;

const cuda = z.strictObject({
  runtime: text,
  minComputeCapability: text,
  sassTargets: texts,
  ptxTargets: texts,
  ptxToolkit: text,
  isNewDriverFeatureRequired: flag,
  hasCompatPackage: flag,
} satisfies Shape<CudaRequirementInput>);
const rocm = z.strictObject({ runtime: text, gfxTargets: texts } satisfies Shape<RocmRequirementInput>);
const partition = z
  .strictObject({
    migProfile: text,
    migFraction: whole,
    timeShare: z.strictObject({ thousandths: z.int(), memoryMiB: whole }).optional(),
  } satisfies Shape<GpuPartitionInput>)
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 1, {
    message: 'must have one of migProfile, migFraction and timeShare',
  });

/** The `gpu` section of a file; the API validates the values. */
export const gpuSection = z.strictObject({
  count: whole,
  vendor: z.enum(vendors).optional(),
  models: texts,
  minMemoryMiB: whole,
  minDriverVersion: text,
  cuda: cuda.optional(),
  rocm: rocm.optional(),
  partition: partition.optional(),
  isEccRequired: flag,
  isExclusive: flag,
  isNvlinkRequired: flag,
  isOptional: flag,
} satisfies Shape<GpuRequirementInput>) as unknown as z.ZodType<GpuRequirementInput>;

/**
 * A parser of the repeated flag that takes `name=value`; lists are separated by commas or given in several
 * flags.
 */
export function collectGpu(argument: string, before: GpuFlags = {}): GpuFlags {
  const { key, value } = pairOf(argument);
  if (!isName(key)) throw new InvalidArgumentError(`Must be one of ${Object.keys(fields).join(', ')}.`);
  const known = before[key];
  if (Array.isArray(known)) return { ...before, [key]: [...(known as string[]), ...listOf(value)] };
  if (known !== undefined) throw new InvalidArgumentError(`${key} is given twice.`);
  return { ...before, [key]: parsers[fields[key].kind](value) };
}

/**
 * Groups flags as the API does.
 * @throws CliError if flags exclude each other
 */
export function gpuRequirementOf(flags: GpuFlags): GpuRequirementInput {
  const parts = (['migProfile', 'migFraction', 'share'] as const).filter((name) => flags[name] !== undefined);
  if (parts.length > 1)
    throw new CliError(exitCodes.usage, `Give only one of --gpu ${parts.join('=, --gpu ')}=`);
  if (flags.shareMemoryMiB !== undefined && flags.share === undefined)
    throw new CliError(exitCodes.usage, '--gpu shareMemoryMiB= needs --gpu share=');
  const requirement: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(flags) as [Name, unknown][])
    setAt(requirement, fields[name].path, value);
  return requirement;
}

/** A GPU requirement in the form of `rhizome submit --gpu`, without the fields that are not set. */
export function gpuText(requirement: object): string {
  return Object.entries(fields)
    .map(([name, { path }]) => [name, valueAt(requirement, path)] as const)
    .filter(([, value]) => value != null && value !== false && String(value) !== '')
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}

function setAt(
  target: Record<string, unknown>,
  [name = '', ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) target[name] = value;
  else setAt((target[name] ??= {}) as Record<string, unknown>, rest, value);
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, name) => (at as Record<string, unknown> | null | undefined)?.[name], value);

const listOf = (value: string): string[] => value.split(',').map((item) => item.trim());

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
