import { describe, expect, test } from '@jest/globals';
import { collectGpu, gpuSection } from './gpu-requirement.js';

const asked = (...flags: readonly string[]) => flags.reduce((before, flag) => collectGpu(flag, before), {});

describe('what is asked of GPUs by flags', () => {
  test('has the names and the kinds of the API', () => {
    expect(
      asked(
        'vendor=NVIDIA',
        'models=A100, H100',
        'models=V100',
        'minMemoryMiB=40960',
        'cudaRuntime=12.10',
        'isEccRequired=true',
      ),
    ).toEqual({
      vendor: 'NVIDIA',
      models: ['A100', 'H100', 'V100'],
      minMemoryMiB: 40_960,
      cudaRuntime: '12.10',
      isEccRequired: true,
    });
  });

  test.each([
    [['memory=40'], /Must be one of count, vendor, models, minMemoryMiB, /],
    [['constructor=x'], /Must be one of count,/],
    [['A100'], /Must be NAME=VALUE/],
    [['minMemoryMiB=40 GB'], /Must be a whole number/],
    [['minMemoryMiB='], /Must be a whole number/],
    [['isEccRequired=yes'], /Must be true or false/],
    [['vendor=AMD', 'vendor=INTEL'], /vendor is given twice/],
  ])('%j is refused with what would be right', (flags, says) => {
    expect(() => asked(...flags)).toThrow(says);
  });
});

describe('what is asked of GPUs in a file', () => {
  test('has the names and the kinds of the API', () => {
    const gpu = { count: 2, models: ['A100'], cudaRuntime: '12.10', isNvlinkRequired: true };
    expect(gpuSection.parse(gpu)).toEqual(gpu);
  });

  test('a version is a text: a number of YAML forgets its last zero', () => {
    expect(gpuSection.safeParse({ cudaRuntime: 12.1 }).error?.issues[0]?.message).toMatch(
      /must be a text in quotes/,
    );
    expect(gpuSection.safeParse({ models: 'A100' }).error?.issues[0]?.message).toMatch(/must be a list/);
    expect(gpuSection.safeParse({ memory: 1 }).success).toBe(false);
  });
});
