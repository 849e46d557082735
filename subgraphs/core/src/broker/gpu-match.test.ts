import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { StoredDevice } from '../workers/worker.types.js';
import { aDevice, aGpu } from './broker.fixture.js';
import { chooseDevices, deviceRefusal, gpuRefusal } from './gpu-match.js';

const serves = (gpu: Partial<StoredGpuRequirement>, device: Partial<StoredDevice>): boolean =>
  deviceRefusal(aGpu(gpu), aDevice(device), [aDevice(device)]) === undefined;

describe('a device serves', () => {
  test.each<[Partial<StoredGpuRequirement>, Partial<StoredDevice>, boolean]>([
    [{}, {}, true],
    [{}, { health: 'UNKNOWN' }, false],
    [{}, { health: 'UNHEALTHY' }, false],
    [{ vendor: 'AMD' }, {}, false],
    [{ models: ['a100', 'H100'] }, {}, true],
    [{ models: ['H100'] }, {}, false],
    [{ minMemoryMiB: 40_000 }, { memoryMiB: 40_960 }, true],
    [{ minMemoryMiB: 40_961 }, { memoryMiB: 40_960 }, false],
    [{ minMemoryMiB: 1 }, {}, false],
    [{ minComputeCapability: '8.0' }, { computeCapability: '10.0' }, true],
    [{ minComputeCapability: '8.6' }, { computeCapability: '8.0' }, false],
    [{ minComputeCapability: '5.0' }, {}, false],
    [{ cudaRuntime: '12.4' }, { cudaVersion: '12.10' }, true],
    [{ cudaRuntime: '12.4' }, { cudaVersion: '12.3' }, false],
    [{ cudaRuntime: '11.0' }, {}, false],
    [{ rocmRuntime: '6.2' }, { vendor: 'AMD' }, false],
    [{ sassTargets: ['sm_80'] }, { computeCapability: '8.6' }, true],
    [{ sassTargets: ['sm_86'] }, { computeCapability: '8.0' }, false],
    [{ sassTargets: ['sm_80'] }, { computeCapability: '9.0' }, false],
    [{ sassTargets: ['sm_80'], ptxTargets: ['compute_80'] }, { computeCapability: '9.0' }, true],
    [{ ptxTargets: ['compute_90'] }, { computeCapability: '8.0' }, false],
    [{ ptxTargets: ['compute_50'] }, {}, false],
    [{ migProfile: '1g.10gb' }, { migProfile: '1g.10gb', parentId: 'GPU-0' }, true],
    [{ migProfile: '1g.10gb' }, {}, false],
    [{}, { migProfile: '1g.10gb', parentId: 'GPU-0' }, false],
    [{ nvlink: true, count: 2 }, {}, false],
  ])('%j on %j: %s', (gpu, device, expected) => {
    expect(serves(gpu, device)).toBe(expected);
  });

  test('not whole while it is divided into slices', () => {
    const whole = aDevice({ id: 'GPU-0' });
    const slice = aDevice({ id: 'MIG-1', migProfile: '1g.10gb', parentId: 'GPU-0' });
    expect(chooseDevices(aGpu(), [whole, slice], () => true)).toBeUndefined();
    expect(chooseDevices(aGpu({ migProfile: '1g.10gb' }), [whole, slice], () => true)).toEqual(['MIG-1']);
  });
});

describe('the choice of devices', () => {
  test('takes the smallest that suffice, and free ones only', () => {
    const devices = [
      aDevice({ id: 'a', memoryMiB: 80_000 }),
      aDevice({ id: 'b', memoryMiB: 40_000 }),
      aDevice({ id: 'c', memoryMiB: 40_000 }),
    ];
    expect(chooseDevices(aGpu({ count: 2 }), devices, () => true)).toEqual(['b', 'c']);
    expect(chooseDevices(aGpu({ count: 2 }), devices, (id) => id !== 'b')).toEqual(['c', 'a']);
    expect(chooseDevices(aGpu({ count: 3 }), devices, (id) => id !== 'b')).toBeUndefined();
  });

  test('gives a job whose GPUs are optional what there is, or nothing', () => {
    expect(chooseDevices(aGpu({ optional: true }), [], () => true)).toEqual([]);
    expect(chooseDevices(aGpu({ optional: true }), [aDevice()], () => true)).toEqual(['GPU-1']);
    expect(gpuRefusal(aGpu({ optional: true }), [])).toBeUndefined();
    expect(gpuRefusal(aGpu(), [])).toBe('no devices');
    expect(gpuRefusal(aGpu({ count: 2 }), [aDevice()])).toBe('only 1 devices');
  });

  test('for any devices: as many as asked, each once, each free and serving', () => {
    const device = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      health: fc.constantFrom('HEALTHY' as const, 'UNKNOWN' as const),
      memoryMiB: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(device, { selector: ({ id }) => id }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.subarray(['a', 'b', 'c', 'd', 'e']),
        (found, count, minMemoryMiB, free) => {
          const devices = found.map((facts) => aDevice(facts));
          const gpu = aGpu({ count, minMemoryMiB });
          const chosen = chooseDevices(gpu, devices, (id) => free.includes(id));
          const able = devices
            .filter((one) => free.includes(one.id) && deviceRefusal(gpu, one, devices) === undefined)
            .map(({ id }) => id);
          if (able.length < count) expect(chosen).toBeUndefined();
          else {
            expect(new Set(chosen).size).toBe(count);
            for (const id of chosen ?? []) expect(able).toContain(id);
          }
        },
      ),
    );
  });
});
