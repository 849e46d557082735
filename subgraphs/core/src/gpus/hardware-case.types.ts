/** The shape of the hand-checked cases that are not told in columns. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { SourceKey } from './catalogue/sources.js';
import type { DeviceFacts, VerdictCode, VerdictKind } from './verdict.types.js';

/** What is asked, of which device, the verdict, its code, and where it can be looked up. */
export type HardwareCase = readonly [
  Partial<StoredGpuRequirement>,
  Partial<DeviceFacts>,
  VerdictKind,
  VerdictCode,
  SourceKey,
];
