/** A requirement and a device with only the facts that a test needs. */
import type { Device } from '../../../src/gpus/verdict/verdict.types.js';
import type { StoredGpuRequirement } from '../../../src/gpus/gpu-requirement.types.js';

/** One GPU of any kind, with changes. */
export const gpu = (change: Partial<StoredGpuRequirement> = {}): StoredGpuRequirement => ({
  count: 1,
  models: [],
  sassTargets: [],
  ptxTargets: [],
  nvlink: false,
  optional: false,
  ...change,
});

/** A healthy device of NVIDIA, with changes. */
export const device = (change: Partial<Device>): Device => ({
  vendor: 'NVIDIA',
  model: 'x',
  health: 'HEALTHY',
  ...change,
});

/** Removes unknown facts. */
export const known = <T extends object>(facts: T): Partial<T> =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;
