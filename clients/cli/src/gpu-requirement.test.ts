import { describe, expect, it } from '@jest/globals';
import { collectGpu, gpuSection } from './gpu-requirement.js';

const asked = (...flags: readonly string[]) => flags.reduce((before, flag) => collectGpu(flag, before), {});

describe('collectGpu', () => {
  it('has the fields and kinds of the API', () => {
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

  it.each([
    [['memory=40'], /Must be one of count, vendor, models, minMemoryMiB, /],
    [['constructor=x'], /Must be one of count,/],
    [['A100'], /Must be NAME=VALUE/],
    [['minMemoryMiB=40 GB'], /Must be a whole number/],
    [['minMemoryMiB='], /Must be a whole number/],
    [['isEccRequired=yes'], /Must be true or false/],
    [['vendor=AMD', 'vendor=INTEL'], /vendor is given twice/],
  ])('refuses %j and says what is valid', (flags, says) => {
    expect(() => asked(...flags)).toThrow(says);
  });
});

describe('gpuSection', () => {
  it('has the fields and kinds of the API', () => {
    const gpu = { count: 2, models: ['A100'], cudaRuntime: '12.10', isNvlinkRequired: true };
    expect(gpuSection.parse(gpu)).toEqual(gpu);
  });

  it('requires quotes for versions, because YAML drops the last zero of a number', () => {
    expect(gpuSection.safeParse({ cudaRuntime: 12.1 }).error?.issues[0]?.message).toMatch(
      /must be a text in quotes/,
    );
    expect(gpuSection.safeParse({ models: 'A100' }).error?.issues[0]?.message).toMatch(/must be a list/);
    expect(gpuSection.safeParse({ memory: 1 }).success).toBe(false);
  });
});
