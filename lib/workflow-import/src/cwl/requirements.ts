/** Requirements and hints of processes: which of them hold, and what becomes of them. */
import type { Refusals } from '../refusals.js';
import { isVariableName } from '../shell.js';
import type { Located } from '../text/located.js';
import type { Payload, Requirements } from '../workflow.types.js';
import type { Evaluator } from './evaluate.js';
import { namedEntries, refuseOthers } from './fields.js';

/** A requirement that holds, with the place where it is given. */
interface Held {
  readonly at: Located;
  readonly isHint: boolean;
}

/** Requirements that hold for a process, by class. */
export type HeldRequirements = ReadonlyMap<string, Held>;

/** Classes that change nothing here, because what they announce is always supported, or has no effect. */
const silent = new Set([
  'InlineJavascriptRequirement',
  'MultipleInputFeatureRequirement',
  'ScatterFeatureRequirement',
  'StepInputExpressionRequirement',
  'SubworkflowFeatureRequirement',
  'LoadListingRequirement',
  'WorkReuse',
]);

/** Fields of the classes that have an effect. */
const fields: ReadonlyMap<string, readonly string[]> = new Map([
  ['DockerRequirement', ['dockerPull', 'dockerImageId']],
  ['EnvVarRequirement', ['envDef']],
  ['NetworkAccess', ['networkAccess']],
  [
    'ResourceRequirement',
    ['cores', 'ram', 'tmpdir', 'outdir'].flatMap((name) => [`${name}Min`, `${name}Max`]),
  ],
  ['ShellCommandRequirement', []],
  ['ToolTimeLimit', ['timelimit']],
  [
    'CUDARequirement',
    ['cudaVersionMin', 'cudaComputeCapability', 'cudaDeviceCountMin', 'cudaDeviceCountMax'],
  ],
]);

/** Advice for classes that are refused. */
const advices: ReadonlyMap<string, string> = new Map([
  ['InitialWorkDirRequirement', 'let the command write its files itself'],
  ['InplaceUpdateRequirement', 'let the command write a new file'],
  ['SchemaDefRequirement', 'write the type where it is used'],
  ['SoftwareRequirement', 'give an image with the software by DockerRequirement'],
  ['loop', 'give a step for each turn'],
]);

/**
 * Adds the requirements and hints of a step or a process to those around it. What is nearer to the command
 * comes first; a hint never replaces a requirement.
 */
export function withRequirements(outer: HeldRequirements, at: Located, refusals: Refusals): HeldRequirements {
  const held = new Map(outer);
  for (const key of ['hints', 'requirements'] as const)
    for (const { name: full, at: own } of namedEntries(at.member(key), 'class', refusals)) {
      const name = full.replace(/^.*[:#]/, '');
      const isHint = key === 'hints';
      if (!isSupported(name, own, isHint, refusals)) continue;
      if (!(isHint && held.get(name)?.isHint === false)) held.set(name, { at: own, isHint });
    }
  return held;
}

function isSupported(name: string, at: Located, isHint: boolean, refusals: Refusals): boolean {
  const known = fields.get(name);
  if (known && isHint) return isWholeHint(at, known, refusals);
  if (known && at.isMap) refuseOthers(at, new Set(known), refusals);
  if (known) return true;
  const library = name === 'InlineJavascriptRequirement' ? at.member('expressionLib') : undefined;
  if (library) refusals.refuse(library, 'JavaScript is not supported', 'use parameter references');
  const listing = name === 'LoadListingRequirement' ? at.member('loadListing') : undefined;
  if (listing && listing.text !== 'no_listing')
    refusals.refuse(listing, 'is not supported', 'use no_listing');
  if (silent.has(name)) return false;
  if (isHint && name !== 'loop') refusals.note(at, 'this hint has no effect');
  else refusals.refuse(at, `${name} is not supported`, advices.get(name));
  return false;
}

/** A hint with something that we do not know has no effect: a part of it could mean something else. */
function isWholeHint(at: Located, known: readonly string[], refusals: Refusals): boolean {
  const other = at.members().find(({ name }) => !known.includes(name) && name !== 'class');
  if (other) refusals.note(at, `this hint has no effect, because of ${other.name}`);
  return !other;
}

/** Values that the requirements of a tool give. */
export interface ToolResources {
  readonly requirements: Requirements | undefined;
  readonly image: string | undefined;
  readonly environment: Payload['environment'];
  readonly hasShell: boolean;
}

/** Resources of a job. Expressions are evaluated with the inputs of the tool. */
export function resourcesOf(held: HeldRequirements, evaluator: Evaluator, refusals: Refusals): ToolResources {
  const all = {
    ...amountsOf(held.get('ResourceRequirement')?.at, evaluator, refusals),
    ...timeOf(held.get('ToolTimeLimit')?.at, evaluator, refusals),
    ...networkOf(held.get('NetworkAccess')?.at, evaluator),
    ...gpuOf(held.get('CUDARequirement')?.at, evaluator, refusals),
  };
  return {
    requirements: Object.keys(all).length > 0 ? all : undefined,
    image: imageOf(held.get('DockerRequirement')?.at, refusals),
    environment: environmentOf(held.get('EnvVarRequirement')?.at, evaluator, refusals),
    hasShell: held.has('ShellCommandRequirement'),
  };
}

/** Amounts; the defaults are those of the class, in MiB. */
function amountsOf(at: Located | undefined, evaluator: Evaluator, refusals: Refusals): Requirements {
  if (!at) return {};
  const amount = (name: string, byDefault: number): number => {
    const [min, max] = [at.member(`${name}Min`), at.member(`${name}Max`)];
    const [least, most] = [min, max].map((given) => given && evaluator.amountOf(given));
    if (min && least !== undefined && most !== undefined && least > most)
      refusals.refuse(min, `${least} is above ${name}Max, ${most}`);
    return least ?? most ?? byDefault;
  };
  return {
    cores: Math.max(1, amount('cores', 1)),
    memoryMiB: Math.max(1, amount('ram', 256)),
    diskMiB: amount('tmpdir', 1024) + amount('outdir', 1024),
  };
}

function timeOf(at: Located | undefined, evaluator: Evaluator, refusals: Refusals): Requirements {
  if (!at) return {};
  const seconds = evaluator.amountOf(at.place('timelimit'));
  if (seconds === 0) refusals.note(at, 'jobs always have a time limit; the default holds');
  return seconds === undefined || seconds === 0 ? {} : { walltimeSeconds: seconds };
}

function networkOf(at: Located | undefined, evaluator: Evaluator): Requirements {
  return at && evaluator.valueOf(at.place('networkAccess')) === true ? { isNetworkRequired: true } : {};
}

function gpuOf(at: Located | undefined, evaluator: Evaluator, refusals: Refusals): Requirements {
  if (!at) return {};
  const [runtime, capability, count, most] = [
    ...['cudaVersionMin', 'cudaComputeCapability', 'cudaDeviceCountMin', 'cudaDeviceCountMax'],
  ].map((name) => at.member(name));
  if (capability?.isList === true)
    refusals.refuse(capability, 'a list is not supported', 'give the lowest compute capability');
  const given = count ?? most;
  return {
    gpu: {
      count: (given && evaluator.amountOf(given)) ?? 1,
      vendor: 'NVIDIA',
      cuda: {
        ...(runtime ? { runtime: String(runtime.value) } : {}),
        ...(capability ? { minComputeCapability: String(capability.value) } : {}),
      },
    },
  };
}

function imageOf(at: Located | undefined, refusals: Refusals): string | undefined {
  if (!at) return undefined;
  const image = at.member('dockerPull') ?? at.member('dockerImageId');
  if (image?.text === undefined) refusals.refuse(image ?? at, 'has no image', 'give its name as dockerPull');
  return image?.text;
}

function environmentOf(
  at: Located | undefined,
  evaluator: Evaluator,
  refusals: Refusals,
): Payload['environment'] {
  const given = at?.member('envDef');
  if (!given) return undefined;
  const pairs = given.isList
    ? given.entries().map((entry) => ({
        name: entry.place('envName'),
        text: entry.member('envName')?.text ?? '',
        value: entry.place('envValue'),
      }))
    : given.members().map((member) => ({
        name: member,
        text: member.name,
        value: member.member('envValue') ?? member,
      }));
  return pairs.flatMap(({ name, text, value }) => {
    const isValid = isVariableName(text, name, refusals);
    const content = evaluator.textOf(value);
    return !isValid || content === undefined ? [] : [{ name: text, value: content }];
  });
}
