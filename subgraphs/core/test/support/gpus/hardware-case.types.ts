/** The shape of the hand-checked cases that are not told in columns. */
import type { SourceKey } from '../../../src/gpus/catalogue/sources.js';
import type { Device, VerdictCode, VerdictKind } from '../../../src/gpus/verdict/verdict.types.js';
import type { StoredGpuRequirement } from '../../../src/gpus/gpu-requirement.types.js';

/** What is asked, of which device, the verdict, its code, and where it can be looked up. */
export type HardwareCase = readonly [
  Partial<StoredGpuRequirement>,
  Partial<Device>,
  VerdictKind,
  VerdictCode,
  SourceKey,
];
