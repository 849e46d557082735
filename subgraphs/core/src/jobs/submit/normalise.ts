/**
 * Requirements, payloads and retry policies in their stored form: defaults filled in, lists sorted if their
 * order has no meaning.
 */
import type {
  JobErrorFamily,
  StoredInput,
  StoredJobSecret,
  StoredNotice,
  StoredPayload,
  StoredPreference,
  StoredRequirements,
  StoredRetryPolicy,
} from '../model/job.types.js';
import type { StatedContinuity } from '../../shared/continuity.js';
import type { NoticeSpec } from '../../shared/notice.js';
import { defaultKeptCheckpoints } from '../checkpoints/kept-checkpoints.js';
import { anyRuntime } from '../model/platforms.js';
import type {
  GpuSpec,
  InputSpec,
  JobSecretSpec,
  PayloadSpec,
  PreferenceSpec,
  RequirementsSpec,
  RetrySpec,
} from './submit.types.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/** Error families that are retried by default. */
const defaultRetryOn: readonly JobErrorFamily[] = ['DATA', 'PAYLOAD', 'SYSTEM', 'WORKER'];

/** Walltime of a job that states none. */
export const defaultWalltimeSeconds = 3600;

/**
 * Normalises requirements. Equal requirements yield equal objects, whether defaults are given or not and in
 * any order of lists.
 * @param hasSecrets the payload receives secrets
 * @param hasImage the payload runs in a container image: without a named runtime, the worker must have one
 * @param continuity times without contact, if the job or its experiment sets any
 */
export function normaliseRequirements(
  spec: RequirementsSpec,
  hasImage = false,
  hasSecrets = false,
  continuity?: StatedContinuity,
): StoredRequirements {
  return {
    cores: spec.cores ?? 1,
    memoryMiB: spec.memoryMiB ?? 1024,
    diskMiB: spec.diskMiB ?? 1024,
    walltimeSeconds: spec.walltimeSeconds ?? defaultWalltimeSeconds,
    ...known({
      architecture: spec.architecture,
      architectureLevel: spec.architectureLevel,
      containerRuntime: spec.containerRuntime ?? (hasImage ? anyRuntime : undefined),
    }),
    network: spec.isNetworkRequired ?? false,
    ...asked('secrets', hasSecrets),
    ...known({ queue: spec.queue, selector: spec.selector?.trim() }),
    ...(spec.gpu ? { gpu: normaliseGpu(spec.gpu) } : {}),
    ...(continuity ? { continuity } : {}),
    ...asked('preemptible', spec.isPreemptible),
    ...(spec.preferences?.length ? { preferences: normalisePreferences(spec.preferences) } : {}),
  };
}

function normalisePreferences(specs: readonly PreferenceSpec[]): readonly StoredPreference[] {
  return orderedPreferences(
    specs.map(({ expression, weight }) => ({ expression: expression.trim(), weight: weight ?? 1 })),
  );
}

/** The most weighty first: their order in the input has no meaning, and requirement classes are digests. */
export function orderedPreferences(preferences: readonly StoredPreference[]): readonly StoredPreference[] {
  return [...preferences].sort((a, b) => b.weight - a.weight || (a.expression < b.expression ? -1 : 1));
}

/** Flattens the groups of the API: the stored form has no groups, and requirement classes are its digests. */
function normaliseGpu({ cuda, rocm, partition, ...spec }: GpuSpec): StoredGpuRequirement {
  return {
    count: spec.count ?? 1,
    ...known({ vendor: spec.vendor }),
    models: sorted(spec.models),
    ...known({
      minMemoryMiB: spec.minMemoryMiB,
      minComputeCapability: cuda?.minComputeCapability,
      cudaRuntime: cuda?.runtime,
      rocmRuntime: rocm?.runtime,
      minDriverVersion: spec.minDriverVersion,
      ptxToolkit: cuda?.ptxToolkit,
    }),
    ...asked('needsNewDriverFeature', cuda?.isNewDriverFeatureRequired),
    ...asked('bundlesCompat', cuda?.hasCompatPackage),
    ...asked('ecc', spec.isEccRequired),
    ...asked('exclusive', spec.isExclusive),
    ...(rocm?.gfxTargets && rocm.gfxTargets.length > 0 ? { gfxTargets: sorted(rocm.gfxTargets) } : {}),
    sassTargets: sorted(cuda?.sassTargets),
    ptxTargets: sorted(cuda?.ptxTargets),
    ...known({
      migProfile: partition?.migProfile?.trim(),
      migFraction: partition?.migFraction,
      share: partition?.timeShare?.thousandths,
      shareMemoryMiB: partition?.timeShare?.memoryMiB,
    }),
    nvlink: spec.isNvlinkRequired ?? false,
    optional: spec.isOptional ?? false,
  };
}

/**
 * Stored form of a payload, with empty lists for absent ones. Order is kept: it has a meaning for the
 * payload.
 */
export function normalisePayload(spec: PayloadSpec, secretIds: SecretIds = () => ''): StoredPayload {
  return {
    command: spec.command,
    arguments: [...(spec.arguments ?? [])],
    environment: (spec.environment ?? []).map(({ name, value }) => ({ name, value })),
    ...known({ image: spec.image }),
    inputs: (spec.inputs ?? []).map(storedInput),
    outputs: [...(spec.outputs ?? [])],
    ...(spec.outputDatasets?.length
      ? { outputDatasets: spec.outputDatasets.map(({ output, datasetId }) => ({ output, datasetId })) }
      : {}),
    ...known({ uploadId: spec.uploadId }),
    ...(spec.keepOnFailure?.length ? { keepOnFailure: [...spec.keepOnFailure] } : {}),
    ...(spec.secrets?.length ? { secrets: spec.secrets.map((one) => storedSecret(one, secretIds)) } : {}),
    ...asked('token', spec.isTokenRequired),
    ...(spec.notice ? { notice: storedNotice(spec.notice) } : {}),
    ...keptCheckpoints(spec),
  };
}

/** Stored form of an input. */
export function storedInput({
  name,
  location,
  otherLocations,
  sizeBytes,
  checksums,
}: InputSpec): StoredInput {
  return {
    name,
    location,
    ...(otherLocations?.length ? { otherLocations: [...otherLocations] } : {}),
    ...known({ sizeBytes }),
    ...(checksums?.length ? { checksums: checksums.map(({ kind, value }) => ({ kind, value })) } : {}),
  };
}

function storedNotice({ seconds, signal, checkpointExitCode }: NoticeSpec): StoredNotice {
  return { seconds, signal: signal ?? 'SIGTERM', ...known({ checkpointExitCode }) };
}

/** Number of kept checkpoints, unless it is the default: most payloads make none. */
function keptCheckpoints({ keptCheckpoints: kept }: PayloadSpec): Pick<StoredPayload, 'keptCheckpoints'> {
  return kept == null || kept === defaultKeptCheckpoints ? {} : { keptCheckpoints: kept };
}

/** Looks up the id of a secret that was checked; empty if it was deleted since. */
export type SecretIds = (spec: JobSecretSpec) => string;

function storedSecret(spec: JobSecretSpec, secretIds: SecretIds): StoredJobSecret {
  const { name } = spec;
  const { scope, as, target } = secretDefaults(spec);
  return { id: secretIds(spec), name, scope, as, target };
}

/** A secret of a payload with its defaults. */
export function secretDefaults({
  name,
  scope,
  as,
  target,
}: JobSecretSpec): Pick<StoredJobSecret, 'scope' | 'as' | 'target'> {
  return { scope: scope ?? 'USER', as: as ?? 'FILE', target: target ?? name };
}

/** Retry policy with its defaults. */
export function normaliseRetry(spec: RetrySpec | null | undefined): StoredRetryPolicy {
  return {
    maxAttempts: spec?.maxAttempts ?? 3,
    backoffSeconds: spec?.backoffSeconds ?? 0,
    backoffFactor: spec?.backoffFactor ?? 2,
    retryOn: [...new Set(spec?.retryOn ?? defaultRetryOn)].sort(),
    ...(spec?.memoryFactor == null ? {} : { memoryFactor: spec.memoryFactor }),
    ...(spec?.maxMemoryMiB == null ? {} : { maxMemoryMiB: spec.maxMemoryMiB }),
  };
}

/** Returns a requested condition, or nothing. */
function asked<K extends string>(name: K, value: boolean | null | undefined): { readonly [P in K]?: true } {
  return value === true ? ({ [name]: true } as { readonly [P in K]?: true }) : {};
}

function sorted(values: readonly string[] | null | undefined): readonly string[] {
  return [...new Set(values ?? [])].sort();
}

type Known<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Leaves out members that are null or undefined. */
function known<T extends object>(facts: T): Known<T> {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== null),
  ) as Known<T>;
}
