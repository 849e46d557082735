import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { normalisePayload, normaliseRequirements, normaliseRetry } from './normalise.js';
import type { RequirementsSpec } from './submit.types.js';
import { classIdOf } from '../model/requirement-class-id.js';

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const modelLists = fc.array(fc.constantFrom('A100', 'H100', 'L40S', 'MI300'), { maxLength: 6 });
const specs: fc.Arbitrary<RequirementsSpec> = fc.record({
  cores: maybe(fc.integer({ min: 1, max: 64 })),
  memoryMiB: maybe(fc.constantFrom(1024, 2048)),
  isNetworkRequired: maybe(fc.boolean()),
  architecture: maybe(fc.constant('x86_64')),
  selector: maybe(fc.constantFrom('worker.cores >= 8', ' worker.cores >= 8 ')),
  gpu: maybe(
    fc.record({
      count: maybe(fc.integer({ min: 1, max: 8 })),
      models: maybe(modelLists),
      isNvlinkRequired: maybe(fc.boolean()),
    }),
  ),
});

describe('normalised requirements', () => {
  it('fills in defaults and leaves out absent conditions', () => {
    expect(normaliseRequirements({})).toEqual({
      cores: 1,
      memoryMiB: 1024,
      diskMiB: 1024,
      walltimeSeconds: 3600,
      network: false,
    });
    expect(normaliseRequirements({ gpu: {} }).gpu).toEqual({
      count: 1,
      models: [],
      sassTargets: [],
      ptxTargets: [],
      nvlink: false,
      optional: false,
    });
  });

  it('maps equal requirements to one class: defaults given or not, lists in any order or with duplicates, blanks around a selector', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const models = [...(spec.gpu?.models ?? [])];
        const other: RequirementsSpec = {
          ...(spec.gpu
            ? {
                gpu: {
                  ...spec.gpu,
                  models: [...models].reverse().concat(models.slice(0, 1)),
                  count: spec.gpu.count ?? 1,
                  vendor: null,
                },
              }
            : { gpu: null }),
          selector: spec.selector === undefined ? null : `${spec.selector} `,
          architecture: spec.architecture ?? null,
          isNetworkRequired: spec.isNetworkRequired ?? false,
          memoryMiB: spec.memoryMiB ?? 1024,
          cores: spec.cores ?? 1,
        };
        expect(classIdOf(normaliseRequirements(other))).toBe(classIdOf(normaliseRequirements(spec)));
      }),
    );
  });

  it('orders preferences by their weight: their order has no meaning', () => {
    const preferences = [
      { expression: ' b ' },
      { expression: 'a', weight: 1 },
      { expression: 'c', weight: 7 },
    ];
    const { preferences: found } = normaliseRequirements({ preferences });
    expect(found).toEqual([
      { expression: 'c', weight: 7 },
      { expression: 'a', weight: 1 },
      { expression: 'b', weight: 1 },
    ]);
    expect(normaliseRequirements({ preferences: [...preferences].reverse() }).preferences).toEqual(found);
    expect(normaliseRequirements({ preferences: [] })).toEqual(normaliseRequirements({}));
  });

  it('trims a MIG profile', () => {
    const { gpu } = normaliseRequirements({ gpu: { partition: { migProfile: ' 1g.10gb ' } } });
    expect(gpu?.migProfile).toBe('1g.10gb');
  });

  it('keeps all conditions under their stored names', () => {
    const conditions = {
      cuda: { isNewDriverFeatureRequired: true, hasCompatPackage: true },
      isEccRequired: true,
      isExclusive: true,
      isNvlinkRequired: true,
      isOptional: true,
    };
    expect(normaliseRequirements({ isNetworkRequired: true, gpu: conditions })).toMatchObject({
      network: true,
      gpu: {
        needsNewDriverFeature: true,
        bundlesCompat: true,
        ecc: true,
        exclusive: true,
        nvlink: true,
        optional: true,
      },
    });
  });

  it.each<[string, NonNullable<RequirementsSpec['gpu']>]>([
    [
      'class_66b2f64bd4f68a9a0f823bb4c5',
      {
        count: 2,
        vendor: 'NVIDIA',
        models: ['H100', 'A100'],
        minMemoryMiB: 40_960,
        minDriverVersion: '535',
        cuda: {
          runtime: '12.4',
          minComputeCapability: '8.0',
          sassTargets: ['sm_90', 'sm_80'],
          ptxTargets: ['compute_80'],
          ptxToolkit: '12.2',
          isNewDriverFeatureRequired: true,
          hasCompatPackage: true,
        },
        isEccRequired: true,
        isExclusive: true,
        isNvlinkRequired: true,
        isOptional: true,
      },
    ],
    [
      'class_da4d84117916c299538b16cd9f',
      { vendor: 'AMD', rocm: { runtime: '6.2', gfxTargets: ['gfx942', 'gfx90a'] } },
    ],
    ['class_2a1543c314c68180f544d96f8a', { partition: { migProfile: '1g.10gb' } }],
    ['class_7d20d8b7631b27a015ab46b076', { partition: { migFraction: 142 } }],
    ['class_07ff3d843b1646988723824020', { partition: { timeShare: { thousandths: 300, memoryMiB: 4096 } } }],
    ['class_19cfd08b84dad8510b59bfc057', { partition: { timeShare: { thousandths: 500 } } }],
  ])('keeps the class of jobs that are stored: %s', (classId, gpu) => {
    // Computed before the API had groups. Another digest would separate new jobs from the stored ones.
    expect(classIdOf(normaliseRequirements({ gpu }))).toBe(classId);
  });

  it('maps different requirements to different classes', () => {
    const ids = [
      {},
      { cores: 2 },
      { isNetworkRequired: true },
      { gpu: {} },
      { gpu: { isOptional: true } },
      { gpu: { models: ['A100'] } },
      { queue: 'main' },
    ].map((spec) => classIdOf(normaliseRequirements(spec)));
    expect(new Set(ids).size).toBe(ids.length);
    ids.forEach((id) => expect(id).toMatch(/^class_[0-9A-Za-z]{26}$/));
  });
});

describe('normalised payloads and retry policies', () => {
  it('keeps the order of arguments, environment and files', () => {
    const payload = {
      command: 'c',
      arguments: ['b', 'a'],
      environment: [
        { name: 'Z', value: '1' },
        { name: 'A', value: '2' },
      ],
      outputs: ['z', 'a'],
    };
    expect(normalisePayload(payload)).toEqual({ ...payload, inputs: [] });
  });

  it('fills in the signal of a notice', () => {
    const noticed = (notice: NonNullable<Parameters<typeof normalisePayload>[0]['notice']>) =>
      normalisePayload({ command: 'c', notice }).notice;
    expect(noticed({ seconds: 60 })).toEqual({ seconds: 60, signal: 'SIGTERM' });
    const whole = { seconds: 60, signal: 'NONE', checkpointExitCode: 75 } as const;
    expect(noticed(whole)).toEqual(whole);
    expect(normalisePayload({ command: 'c', notice: null })).not.toHaveProperty('notice');
  });

  it('fills in the defaults of a policy and sorts its families without duplicates', () => {
    expect(normaliseRetry(null)).toEqual({
      maxAttempts: 3,
      backoffSeconds: 0,
      backoffFactor: 2,
      retryOn: ['DATA', 'PAYLOAD', 'SYSTEM', 'WORKER'],
    });
    expect(normaliseRetry({ maxAttempts: 1, retryOn: ['WORKER', 'DATA', 'WORKER'] })).toMatchObject({
      maxAttempts: 1,
      retryOn: ['DATA', 'WORKER'],
    });
  });
});
