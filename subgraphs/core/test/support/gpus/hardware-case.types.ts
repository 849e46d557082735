/** The shape of the hand-checked cases that are not told in columns. */
import type { StoredGpuRequirement } from '../../../src/jobs/model/job.types.js';
import type { SourceKey } from '../../../src/gpus/catalogue/sources.js';
import type { DeviceFacts, VerdictCode, VerdictKind } from '../../../src/gpus/verdict/verdict.types.js';

/** What is asked, of which device, the verdict, its code, and where it can be looked up. */
export type HardwareCase = readonly [
  Partial<StoredGpuRequirement>,
  Partial<DeviceFacts>,
  VerdictKind,
  VerdictCode,
  SourceKey,
];
