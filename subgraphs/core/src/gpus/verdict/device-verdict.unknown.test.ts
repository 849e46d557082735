import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deviceVerdict } from './device-verdict.js';
import { device, gpu } from '../../../test/support/gpus/verdict.fixture.js';
import type { Device } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** A requirement, a device that is not in the catalogue and serves it, and the facts needed for that. */
const served: readonly (readonly [
  Partial<StoredGpuRequirement>,
  Partial<Device>,
  readonly (keyof Device)[],
])[] = [
  [{ minMemoryMiB: 1000 }, { memoryMiB: 2000 }, ['memoryMiB']],
  [
    { share: 500, shareMemoryMiB: 1000 },
    { memoryMiB: 2000, isSharingAllowed: true },
    ['memoryMiB', 'isSharingAllowed'],
  ],
  [{ minComputeCapability: '8.0' }, { computeCapability: '9.0' }, ['computeCapability']],
  [{ minDriverVersion: '535' }, { driverVersion: '550.54.14' }, ['driverVersion']],
  [
    { cudaRuntime: '12.4' },
    { driverVersion: '550.54.14', computeCapability: '9.0' },
    ['driverVersion', 'computeCapability'],
  ],
  [
    { cudaRuntime: '12.4' },
    { cudaVersion: '12.4', computeCapability: '9.0' },
    ['cudaVersion', 'computeCapability'],
  ],
  [
    { cudaRuntime: '12.4', bundlesCompat: true },
    { driverVersion: '470.256.02', computeCapability: '7.0', brand: 'Tesla' },
    ['driverVersion', 'computeCapability', 'brand'],
  ],
  [{ sassTargets: ['sm_80'] }, { computeCapability: '8.6' }, ['computeCapability']],
  [
    { ptxTargets: ['compute_80'], ptxToolkit: '12.4' },
    { computeCapability: '9.0', driverVersion: '550.54.14' },
    ['computeCapability', 'driverVersion'],
  ],
  [{ rocmRuntime: '6.2' }, { vendor: 'AMD', rocmVersion: '6.2.1' }, ['rocmVersion']],
  [{ rocmRuntime: '6.2' }, { vendor: 'AMD', driverVersion: '6.8.5' }, ['driverVersion']],
  [{ gfxTargets: ['gfx90a'] }, { vendor: 'AMD', gfxTarget: 'gfx90a' }, ['gfxTarget']],
  [{ gfxTargets: ['gfx90a:xnack-'] }, { vendor: 'AMD', gfxTarget: 'gfx90a:xnack-' }, ['gfxTarget']],
  [{ migProfile: '1g.10gb' }, { migProfile: '1g.10gb', parentId: 'GPU-0' }, ['migProfile']],
  [{ migFraction: 125 }, { vendor: 'AMD', partitionMode: 'CPX/NPS1', parentId: 'GPU-0' }, ['partitionMode']],
  [{ ecc: true }, { eccEnabled: true }, ['eccEnabled']],
  [{ nvlink: true, count: 2 }, { nvlinkGroup: 'nvlink:0,1' }, ['nvlinkGroup']],
];

describe('an unknown fact', () => {
  it.each(served)('never satisfies %j on %j, which needs each of %j', (asked, facts, needed) => {
    expect(deviceVerdict(gpu(asked), device(facts)).kind).not.toBe('NO');
    for (const fact of needed) {
      const rest = Object.fromEntries(Object.entries(facts).filter(([name]) => name !== fact));
      expect([fact, deviceVerdict(gpu(asked), device(rest)).kind]).toEqual([fact, 'NO']);
    }
  });

  it('keeps a device of unknown health from every job', () => {
    for (const [asked, facts] of served)
      expect(deviceVerdict(gpu(asked), device({ ...facts, health: 'UNKNOWN' })).code).toBe('HEALTH_UNKNOWN');
  });

  it('keeps a device without any known fact from all but plain requests', () => {
    const wants: Partial<StoredGpuRequirement>[] = [
      { models: ['A100'] },
      { minMemoryMiB: 1 },
      { minComputeCapability: '1.0' },
      { minDriverVersion: '1' },
      { cudaRuntime: '8.0' },
      { sassTargets: ['sm_80'] },
      { ptxTargets: ['compute_50'], ptxToolkit: '8.0' },
      { rocmRuntime: '6.2' },
      { gfxTargets: ['gfx90a'] },
      { migProfile: '1g.10gb' },
      { migFraction: 1 },
      { share: 1 },
      { ecc: true },
      { nvlink: true, count: 2 },
    ];
    fc.assert(
      fc.property(
        fc.subarray(wants, { minLength: 1 }),
        fc.constantFrom('NVIDIA', 'AMD', 'INTEL'),
        (some, vendor) => {
          const asked = gpu(Object.assign({}, ...some) as Partial<StoredGpuRequirement>);
          expect(deviceVerdict(asked, device({ vendor, model: '?' })).kind).toBe('NO');
        },
      ),
    );
    expect(deviceVerdict(gpu({}), device({ model: '?' })).kind).toBe('NATIVE');
  });
});
