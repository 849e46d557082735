import { describe, expect, it } from '@jest/globals';
import { normaliseRequirements } from '../submit/normalise.js';
import type { GpuSpec } from '../submit/submit.types.js';
import { gpuRequirementOf } from './gpu-requirement.js';

function shown(gpu: GpuSpec): unknown {
  const stored = normaliseRequirements({ gpu }).gpu;
  return stored && gpuRequirementOf(stored);
}

describe('gpuRequirementOf', () => {
  it('returns all conditions as they were submitted', () => {
    const gpu = {
      count: 2,
      vendor: 'NVIDIA',
      models: ['A100'],
      minMemoryMiB: 40_960,
      minDriverVersion: '535',
      cuda: {
        runtime: '12.4',
        minComputeCapability: '8.0',
        sassTargets: ['sm_80'],
        ptxTargets: ['compute_80'],
        ptxToolkit: '12.2',
        isNewDriverFeatureRequired: true,
        hasCompatPackage: true,
      },
      rocm: { runtime: '6.2', gfxTargets: ['gfx90a'] },
      partition: { migProfile: '1g.10gb' },
      isEccRequired: true,
      isExclusive: true,
      isNvlinkRequired: true,
      isOptional: true,
    };
    expect(shown(gpu)).toEqual(gpu);
  });

  it('has no group without a condition', () => {
    expect(shown({ cuda: { sassTargets: [] }, rocm: {} })).toEqual({
      count: 1,
      vendor: null,
      models: [],
      minMemoryMiB: null,
      minDriverVersion: null,
      cuda: null,
      rocm: null,
      partition: null,
      isEccRequired: false,
      isExclusive: false,
      isNvlinkRequired: false,
      isOptional: false,
    });
  });

  it.each([
    { runtime: '12.4' },
    { minComputeCapability: '8.0' },
    { ptxToolkit: '12.2' },
    { sassTargets: ['sm_80'] },
    { ptxTargets: ['compute_80'] },
    { isNewDriverFeatureRequired: true },
    { hasCompatPackage: true },
  ])('has the group of a single condition: %j', (cuda) => {
    expect(shown({ cuda })).toMatchObject({ cuda });
  });

  it.each([
    { migProfile: '1g.10gb' },
    { migFraction: 142 },
    { timeShare: { thousandths: 300, memoryMiB: null } },
    { timeShare: { thousandths: 300, memoryMiB: 4096 } },
  ])('has one part of a device: %j', (partition) => {
    expect(shown({ partition })).toMatchObject({ partition });
  });
});
