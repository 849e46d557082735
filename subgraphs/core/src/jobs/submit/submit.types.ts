/** Input and result of a submit, independent of GraphQL. */
import type { SecretScope } from '../../secrets/secret.document.js';
import type { JobErrorFamily, SecretDelivery, StoredChecksum } from '../model/job.types.js';
import type { ContinuitySpec } from '../../shared/continuity.js';
import type { NoticeSpec } from '../../shared/notice.js';
import type { JobInputError } from './job-input-error.types.js';

type Maybe<T> = T | null | undefined;

/** Job as the caller describes it, unchecked. */
export interface JobSpec {
  readonly name: string;
  readonly share?: Maybe<string>;
  readonly priority?: Maybe<number>;
  readonly labels?: Maybe<readonly LabelSpec[]>;
  readonly requirements?: Maybe<RequirementsSpec>;
  readonly payload: PayloadSpec;
  readonly retry?: Maybe<RetrySpec>;
  readonly continuity?: Maybe<ContinuitySpec>;
  readonly dependsOn?: Maybe<readonly string[]>;
}

/** Key and value of a label or variable. */
export interface LabelSpec {
  readonly key: string;
  readonly value: string;
}

/** Requirements as the caller describes them; absent members have their defaults. */
export interface RequirementsSpec {
  readonly cores?: Maybe<number>;
  readonly memoryMiB?: Maybe<number>;
  readonly diskMiB?: Maybe<number>;
  readonly walltimeSeconds?: Maybe<number>;
  readonly architecture?: Maybe<string>;
  readonly architectureLevel?: Maybe<string>;
  readonly containerRuntime?: Maybe<string>;
  readonly isNetworkRequired?: Maybe<boolean>;
  readonly queue?: Maybe<string>;
  readonly selector?: Maybe<string>;
  readonly gpu?: Maybe<GpuSpec>;
  readonly isPreemptible?: Maybe<boolean>;
  readonly preferences?: Maybe<readonly PreferenceSpec[]>;
}

/** Condition that a worker should meet. */
export interface PreferenceSpec {
  readonly expression: string;
  readonly weight?: Maybe<number>;
}

/** Requested GPUs; absent members are not required. */
export interface GpuSpec {
  readonly count?: Maybe<number>;
  readonly vendor?: Maybe<string>;
  readonly models?: Maybe<readonly string[]>;
  readonly minMemoryMiB?: Maybe<number>;
  readonly minDriverVersion?: Maybe<string>;
  readonly cuda?: Maybe<CudaSpec>;
  readonly rocm?: Maybe<RocmSpec>;
  readonly partition?: Maybe<GpuPartitionSpec>;
  readonly isEccRequired?: Maybe<boolean>;
  readonly isExclusive?: Maybe<boolean>;
  readonly isNvlinkRequired?: Maybe<boolean>;
  readonly isOptional?: Maybe<boolean>;
}

/** Conditions that only NVIDIA devices meet. */
export interface CudaSpec {
  readonly runtime?: Maybe<string>;
  readonly minComputeCapability?: Maybe<string>;
  readonly sassTargets?: Maybe<readonly string[]>;
  readonly ptxTargets?: Maybe<readonly string[]>;
  readonly ptxToolkit?: Maybe<string>;
  readonly isNewDriverFeatureRequired?: Maybe<boolean>;
  readonly hasCompatPackage?: Maybe<boolean>;
}

/** Conditions that only AMD devices meet. */
export interface RocmSpec {
  readonly runtime?: Maybe<string>;
  readonly gfxTargets?: Maybe<readonly string[]>;
}

/** Part of a device; GraphQL admits exactly one member (`@oneOf`). */
export interface GpuPartitionSpec {
  readonly migProfile?: Maybe<string>;
  readonly migFraction?: Maybe<number>;
  readonly timeShare?: Maybe<{ readonly thousandths: number; readonly memoryMiB?: Maybe<number> }>;
}

/** Payload as the caller describes it. */
export interface PayloadSpec {
  readonly command: string;
  readonly arguments?: Maybe<readonly string[]>;
  readonly environment?: Maybe<readonly { readonly name: string; readonly value: string }[]>;
  readonly image?: Maybe<string>;
  readonly inputs?: Maybe<readonly InputSpec[]>;
  readonly outputs?: Maybe<readonly string[]>;
  readonly outputDatasets?: Maybe<readonly { readonly output: string; readonly datasetId: string }[]>;
  readonly uploadId?: Maybe<string>;
  readonly keepOnFailure?: Maybe<readonly string[]>;
  readonly secrets?: Maybe<readonly JobSecretSpec[]>;
  readonly isTokenRequired?: Maybe<boolean>;
  readonly notice?: Maybe<NoticeSpec>;
  readonly keptCheckpoints?: Maybe<number>;
}

/** Input as the caller describes it. */
export interface InputSpec {
  readonly name: string;
  readonly location: string;
  readonly otherLocations?: Maybe<readonly string[]>;
  readonly sizeBytes?: Maybe<number>;
  readonly checksums?: Maybe<readonly StoredChecksum[]>;
}

/** Secret as the caller names it. */
export interface JobSecretSpec {
  readonly name: string;
  readonly scope?: Maybe<SecretScope>;
  readonly as?: Maybe<SecretDelivery>;
  readonly target?: Maybe<string>;
}

/** Retry policy as the caller describes it. */
export interface RetrySpec {
  readonly maxAttempts?: Maybe<number>;
  readonly backoffSeconds?: Maybe<number>;
  readonly backoffFactor?: Maybe<number>;
  readonly retryOn?: Maybe<readonly JobErrorFamily[]>;
  readonly memoryFactor?: Maybe<number>;
  readonly maxMemoryMiB?: Maybe<number>;
}

/** Refused job of a submit, with its position. */
export interface RefusedJob {
  readonly index: number;
  readonly refusals: readonly JobInputError[];
}
