import { describe, expect, it } from '@jest/globals';
import { buildSchema, isInputObjectType } from 'graphql';
import { readFileSync } from 'node:fs';
import { collectGpu, type GpuFlags, gpuRequirementOf, gpuSection, gpuText } from './gpu-requirement.js';

const given = (...flags: readonly string[]): GpuFlags =>
  flags.reduce<GpuFlags>((before, flag) => collectGpu(flag, before), {});

/** A flag for every field of the requirement, parts of a device aside. */
const allFlags = [
  'count=2',
  'vendor=nvidia',
  'models=A100, H100',
  'models=V100',
  'minMemoryMiB=40960',
  'minDriverVersion=535',
  'cudaRuntime=12.10',
  'minComputeCapability=8.0',
  'sassTargets=sm_80,sm_90',
  'ptxTargets=compute_80',
  'ptxToolkit=12.2',
  'isNewDriverFeatureRequired=true',
  'hasCompatPackage=true',
  'rocmRuntime=6.2',
  'gfxTargets=gfx90a',
  'isEccRequired=true',
  'isExclusive=true',
  'isNvlinkRequired=true',
  'isOptional=true',
];
const allFields = {
  count: 2,
  vendor: 'NVIDIA',
  models: ['A100', 'H100', 'V100'],
  minMemoryMiB: 40_960,
  minDriverVersion: '535',
  cuda: {
    runtime: '12.10',
    minComputeCapability: '8.0',
    sassTargets: ['sm_80', 'sm_90'],
    ptxTargets: ['compute_80'],
    ptxToolkit: '12.2',
    isNewDriverFeatureRequired: true,
    hasCompatPackage: true,
  },
  rocm: { runtime: '6.2', gfxTargets: ['gfx90a'] },
  isEccRequired: true,
  isExclusive: true,
  isNvlinkRequired: true,
  isOptional: true,
};
const partitions: [string[], object][] = [
  [['migProfile=1g.10gb'], { migProfile: '1g.10gb' }],
  [['migFraction=142'], { migFraction: 142 }],
  [['share=300'], { timeShare: { thousandths: 300 } }],
  [['shareMemoryMiB=4096', 'share=300'], { timeShare: { memoryMiB: 4096, thousandths: 300 } }],
];

describe('collectGpu', () => {
  it('maps the names of the flag to the groups of the API', () => {
    expect(gpuRequirementOf(given(...allFlags))).toEqual(allFields);
  });

  it.each(partitions)('maps %j to a partition', (flags, partition) => {
    expect(gpuRequirementOf(given(...flags))).toEqual({ partition });
  });

  it('has a name for every field of the API', () => {
    const url = new URL('../../../../schema/public.graphql', import.meta.url);
    const schema = buildSchema(readFileSync(url, 'utf8'), { assumeValidSDL: true });
    const pathsOf = (name: string): string[] => {
      const type = schema.getType(name);
      if (!isInputObjectType(type)) throw new Error(`${name} is no input type`);
      return Object.values(type.getFields()).flatMap(({ name: field, type: of }) =>
        isInputObjectType(of) ? pathsOf(of.name).map((path) => `${field}.${path}`) : [field],
      );
    };
    const paths = (value: object): string[] =>
      Object.entries(value).flatMap(([name, at]: [string, unknown]) =>
        typeof at === 'object' && at !== null && !Array.isArray(at)
          ? paths(at).map((path) => `${name}.${path}`)
          : [name],
      );
    const covered = [...paths(allFields), ...partitions.flatMap(([, partition]) => paths({ partition }))];
    expect([...new Set(covered)].sort()).toEqual(pathsOf('GpuRequirementInput').sort());
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
    expect(() => given(...flags)).toThrow(says);
  });

  it.each([
    [['migProfile=1g.10gb', 'share=300'], /Give only one of --gpu migProfile=, --gpu share=/],
    [['migFraction=142', 'migProfile=1g.10gb'], /Give only one of --gpu migProfile=, --gpu migFraction=/],
    [['shareMemoryMiB=100'], /--gpu shareMemoryMiB= needs --gpu share=/],
  ])('refuses parts of a device that exclude each other: %j', (flags, says) => {
    expect(() => gpuRequirementOf(given(...flags))).toThrow(says);
  });
});

describe('gpuText', () => {
  it('shows a GPU request as submit takes it, without what is not set', () => {
    const gpu = {
      __typename: 'GpuRequirement',
      count: 2,
      vendor: 'NVIDIA',
      models: ['A100', 'H100'],
      minMemoryMiB: null,
      cuda: { __typename: 'CudaRequirement', runtime: '12.4', sassTargets: [], hasCompatPackage: false },
      rocm: null,
      partition: { migProfile: null, migFraction: null, timeShare: { thousandths: 300, memoryMiB: null } },
      isNvlinkRequired: true,
      isEccRequired: false,
    };
    expect(gpuText(gpu)).toBe(
      'count=2 vendor=NVIDIA models=A100,H100 cudaRuntime=12.4 share=300 isNvlinkRequired=true',
    );
  });
});

describe('gpuSection', () => {
  it('has the form of the API', () => {
    expect(gpuSection.parse(allFields)).toEqual(allFields);
    for (const [, partition] of partitions) expect(gpuSection.parse({ partition })).toEqual({ partition });
  });

  it('requires quotes for versions, because YAML drops the last zero of a number', () => {
    const messageOf = (section: object) => gpuSection.safeParse(section).error?.issues[0]?.message;
    expect(messageOf({ cuda: { runtime: 12.1 } })).toMatch(/must be a text in quotes/);
    expect(messageOf({ models: 'A100' })).toMatch(/must be a list/);
    expect(gpuSection.safeParse({ memory: 1 }).success).toBe(false);
  });

  it('accepts one part of a device', () => {
    for (const partition of [{}, { migProfile: '1g.10gb', migFraction: 142 }])
      expect(gpuSection.safeParse({ partition }).error?.issues[0]).toMatchObject({
        path: ['partition'],
        message: 'must have one of migProfile, migFraction and timeShare',
      });
  });
});
