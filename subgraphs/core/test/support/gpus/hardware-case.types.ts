/** Hand-checked cases that are not in columns. */
import type { SourceKey } from '../../../src/gpus/catalogue/sources.js';
import type { Device, VerdictCode, VerdictKind } from '../../../src/gpus/verdict/verdict.types.js';
import type { StoredGpuRequirement } from '../../../src/gpus/gpu-requirement.types.js';

/** Requirement, device, verdict, its code, and the source. */
export type HardwareCase = readonly [
  Partial<StoredGpuRequirement>,
  Partial<Device>,
  VerdictKind,
  VerdictCode,
  SourceKey,
];
