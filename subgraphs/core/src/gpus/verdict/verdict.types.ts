/** Input and result of GPU matching. */
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';
import type { DeviceDocument } from '../device.types.js';

/** Level of support: complete, limited features, by a package in the payload, or none. */
export type VerdictKind = 'NATIVE' | 'MINOR_COMPATIBLE' | 'FORWARD_COMPATIBLE' | 'NO';

/** Code for the reason of a verdict. */
export type VerdictCode =
  | 'OK'
  | 'OK_BY_MINOR_VERSION'
  | 'OK_BY_FORWARD_PACKAGE'
  | 'OK_WITHIN_ROCM_REACH'
  | 'UNHEALTHY'
  | 'HEALTH_UNKNOWN'
  | 'WRONG_VENDOR'
  | 'WRONG_MODEL'
  | 'NOT_WHOLE'
  | 'DIVIDED'
  | 'WRONG_PROFILE'
  | 'PROFILE_UNKNOWN'
  | 'SLICE_TOO_SMALL'
  | 'NOT_SHARED'
  | 'MEMORY_TOO_SMALL'
  | 'MEMORY_UNKNOWN'
  | 'CAPABILITY_TOO_LOW'
  | 'CAPABILITY_UNKNOWN'
  | 'DRIVER_TOO_OLD'
  | 'DRIVER_UNKNOWN'
  | 'RELEASE_UNKNOWN'
  | 'NEEDS_NATIVE_DRIVER'
  | 'DROPPED_CAPABILITY'
  | 'TOO_NEW_FOR_RUNTIME'
  | 'NO_CODE_FOR_CAPABILITY'
  | 'PTX_TOO_NEW'
  | 'PTX_TOOLKIT_UNKNOWN'
  | 'TARGET_MALFORMED'
  | 'ROCM_OUT_OF_REACH'
  | 'ROCM_UNKNOWN'
  | 'WRONG_TARGET'
  | 'TARGET_UNKNOWN'
  | 'ECC_OFF'
  | 'ECC_UNKNOWN'
  | 'NVLINK_NONE'
  | 'NVLINK_UNKNOWN';

/** The verdict on one device. */
export interface Verdict {
  readonly kind: VerdictKind;
  readonly code: VerdictCode;
  /** One sentence for a person. */
  readonly reason: string;
}

/**
 * A device as the rule sees it: its own facts, those of the device it is a slice of, and what its
 * surroundings say.
 */
export interface Device extends Omit<DeviceDocument, 'id' | 'sources'> {
  /** True if slices have been made of it. */
  readonly isDivided?: boolean;
  /** True if its queue allows jobs to share a device. */
  readonly isSharingAllowed?: boolean;
}

/** One thing that a requirement may ask of a device. */
export interface DeviceCheck {
  /** Short name of the check. */
  readonly name: string;
  /**
   * The check as a constraint, for example `gpu memoryMiB >= 40960`; undefined if the requirement does not
   * need it.
   */
  text(gpu: StoredGpuRequirement): string | undefined;
  /** The verdict on this alone. */
  check(gpu: StoredGpuRequirement, device: Device): Verdict;
}

/** It serves fully. */
export const native: Verdict = Object.freeze({
  kind: 'NATIVE',
  code: 'OK',
  reason: 'it meets the requirement',
});

/** It does not serve. */
export function no(code: VerdictCode, reason: string): Verdict {
  return { kind: 'NO', code, reason };
}
