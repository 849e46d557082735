/** Applies the change that a relaxation proposes, for tests that compare its gain with a count. */
import type { StoredRequirements } from '../../src/jobs/model/job.types.js';
import { aGpu } from './scheduler.fixture.js';
import type { StoredGpuRequirement } from '../../src/gpus/gpu-requirement.types.js';

type GpuChange = (...words: string[]) => StoredGpuRequirement;
type Change = (...words: string[]) => StoredRequirements;

/** Returns the requirements with the change applied. @throws Error for an unknown change */
export function changedBy(wanted: StoredRequirements, change: string): StoredRequirements {
  const { gpu = aGpu() } = wanted;
  for (const [form, reading] of hostReadings(wanted)) {
    const words = form.exec(change);
    if (words) return reading(...words.slice(1));
  }
  for (const [form, reading] of gpuReadings(gpu)) {
    const words = form.exec(change);
    if (words) return { ...wanted, gpu: reading(...words.slice(1)) };
  }
  throw new Error(`unknown change "${change}"`);
}

/** Removes some of its fields. */
export function lacking<T extends object>(whole: T, ...names: readonly (keyof T)[]): T {
  return Object.fromEntries(
    Object.entries(whole).filter(([name]) => !names.includes(name as keyof T)),
  ) as unknown as T;
}

function hostReadings(wanted: StoredRequirements): readonly (readonly [RegExp, Change])[] {
  return [
    [
      /^(cores|memoryMiB|diskMiB|walltimeSeconds) >= (\d+) instead of \d+$/,
      (name = '', value) => ({ ...wanted, [name]: Number(value) }),
    ],
    [/^architecture = (\S+) instead of/, (architecture = '') => ({ ...wanted, architecture })],
    [
      /^architectureLevel >= (\S+) instead of/,
      (architectureLevel = '') => ({ ...wanted, architectureLevel }),
    ],
    [/^without a condition on the architecture level/, () => lacking(wanted, 'architectureLevel')],
    [/^container runtime (\S+) instead of/, (containerRuntime = '') => ({ ...wanted, containerRuntime })],
    [/^any container runtime/, () => ({ ...wanted, containerRuntime: 'any' })],
    [/^without the outside network$/, () => ({ ...wanted, network: false })],
    [/^any queue instead of/, () => lacking(wanted, 'queue')],
    [/^without the selector$/, () => lacking(wanted, 'selector')],
  ];
}

function gpuReadings(gpu: StoredGpuRequirement): readonly (readonly [RegExp, GpuChange])[] {
  const whole = lacking(gpu, 'migProfile', 'migFraction', 'share', 'shareMemoryMiB');
  return [
    [/^vendor (\S+) instead of/, (vendor = '') => ({ ...gpu, vendor })],
    [/^any vendor/, () => lacking(gpu, 'vendor')],
    [/^any model instead of/, () => ({ ...gpu, models: [] })],
    [/^model (.+)$/, (words = '') => ({ ...gpu, models: words.split(' or ') })],
    [/^gpu memoryMiB >= (\d+) instead of/, (value) => lowerMemory(gpu, Number(value))],
    [/^capability >= (\S+) instead of/, (minComputeCapability = '') => ({ ...gpu, minComputeCapability })],
    [/without new features of CUDA/, () => lacking(gpu, 'needsNewDriverFeature')],
    [/^driver >= (\S+) instead of/, (minDriverVersion = '') => ({ ...gpu, minDriverVersion })],
    [/^without a condition on the memory/, () => lacking(gpu, 'minMemoryMiB')],
    [/^without a condition on the driver/, () => lacking(gpu, 'minDriverVersion')],
    [/^without a condition on the capability/, () => lacking(gpu, 'minComputeCapability')],
    [/^with the forward-compatibility package/, () => ({ ...gpu, bundlesCompat: true })],
    [/^cuda (\S+) instead of/, (cudaRuntime = '') => ({ ...gpu, cudaRuntime })],
    [/^rocm (\S+) instead of/, (rocmRuntime = '') => ({ ...gpu, rocmRuntime })],
    [/^code for (sm_\d+) too$/, (target = '') => ({ ...gpu, sassTargets: [...gpu.sassTargets, target] })],
    [
      /^code for (gfx\S+) too$/,
      (target = '') => ({ ...gpu, gfxTargets: [...(gpu.gfxTargets ?? []), target] }),
    ],
    [/^mig profile (\S+) instead of/, (migProfile = '') => ({ ...whole, migProfile })],
    [
      /^a slice or partition >= (\d+)\/1000/,
      (thousandths) => ({ ...whole, migFraction: Number(thousandths) }),
    ],
    [/^a whole gpu instead of/, () => whole],
    [/^without ecc$/, () => lacking(gpu, 'ecc')],
    [/^without nvlink$/, () => ({ ...gpu, nvlink: false })],
    [/^without exclusive gpus$/, () => lacking(gpu, 'exclusive')],
    [/^(\d+) gpus? on one host instead of/, (count) => ({ ...gpu, count: Number(count) })],
  ];
}

function lowerMemory(gpu: StoredGpuRequirement, value: number): StoredGpuRequirement {
  const { minMemoryMiB, shareMemoryMiB } = gpu;
  return {
    ...gpu,
    ...(minMemoryMiB === undefined ? {} : { minMemoryMiB: Math.min(minMemoryMiB, value) }),
    ...(shareMemoryMiB === undefined ? {} : { shareMemoryMiB: Math.min(shareMemoryMiB, value) }),
  };
}
