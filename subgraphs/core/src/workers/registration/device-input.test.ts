/** Validation of reported devices, and the messages for wrong values. */
import { InputErrors } from '@rhizome/errors';
import { describe, expect, it } from '@jest/globals';
import {
  checkDevices,
  checkDeviceUse,
  type DeviceInput,
  type DeviceUseInput,
  storedDevices,
} from './device-input.js';
import type { WorkerErrorCode } from '../worker-errors.js';

const gpu: DeviceInput = { id: 'GPU-1', vendor: 'NVIDIA', model: 'NVIDIA A100-SXM4-40GB' };

function faultsOf(devices: readonly DeviceInput[]): readonly string[] {
  const errors = new InputErrors<WorkerErrorCode>();
  checkDevices(errors, ['devices'], devices);
  return errors.all.map(({ path, message }) => {
    // What is wrong is said where it is.
    expect(message.startsWith(`${path.join('.')}: `)).toBe(true);
    return message;
  });
}

const many = (count: number): readonly DeviceInput[] =>
  Array.from({ length: count }, (_, index) => ({ ...gpu, id: `GPU-${index}` }));

describe('the number of devices', () => {
  it.each([0, 1, 8, 16, 72, 256])('accepts %d of them', (count) => {
    expect(faultsOf(many(count))).toEqual([]);
    expect(storedDevices(many(count))).toHaveLength(count);
  });

  it('refuses too many in one sentence, whatever else is wrong with them', () => {
    expect(faultsOf(many(1000).map((device) => ({ ...device, vendor: 'ACME' })))).toEqual([
      'devices: "1000 devices" is not valid; must be at most 256 devices',
    ]);
  });
});

describe('a field with a wrong value', () => {
  it.each<[keyof DeviceInput, unknown, string]>([
    ['id', '', '"" is not valid; must be 1 to 128 characters'],
    ['id', 'x'.repeat(1000), '(1000 characters) is not valid; must be 1 to 128 characters'],
    ['id', 'GPU-1\n', '"GPU-1\\n" is not valid'],
    ['vendor', 'Nvidia', '"Nvidia" is not valid; must be NVIDIA, AMD, INTEL'],
    ['vendor', '', '"" is not valid; must be NVIDIA, AMD, INTEL'],
    ['model', '', '"" is not valid; must be 1 to 128 characters'],
    ['memoryMiB', 0, '0 is too small; must be at least 1'],
    ['memoryMiB', -1, '-1 is too small; must be at least 1'],
    ['memoryMiB', 2_147_483_647, '2147483647 is too large; must be at most 16777216'],
    ['memoryMiB', NaN, 'is not valid; must be a whole number from 1 to 16777216'],
    ['memoryMiB', Infinity, 'is not valid; must be a whole number from 1 to 16777216'],
    ['memoryMiB', 40_960.5, '40960.5 is not valid; must be a whole number'],
    ['memoryUsedMiB', -1, '-1 is too small; must be at least 0'],
    ['utilisation', 1.01, '1.01 is not valid; must be a number from 0 to 1'],
    ['utilisation', 57, '57 is not valid; must be a number from 0 to 1'],
    ['utilisation', NaN, 'is not valid; must be a number from 0 to 1'],
    ['utilisation', Infinity, 'is not valid; must be a number from 0 to 1'],
    ['driverVersion', '', '"" is not valid; must be a version such as 550.54.15, left out when unknown'],
    ['driverVersion', 'N/A', '"N/A" is not valid; must be a version such as 550.54.15, left out when'],
    ['driverVersion', '[Unknown Error]', '"[Unknown Error]" is not valid'],
    ['driverVersion', `5${'0'.repeat(64)}`, 'must be 1 to 64 characters'],
    ['computeCapability', 'sm_90', '"sm_90" is not valid; must be a version such as 9.0'],
    ['computeCapability', '', '"" is not valid; must be a version such as 9.0'],
    ['cudaVersion', '12.4 (forward)', 'must be a version such as 12.4'],
    ['cudaVersion', 'N/A', '"N/A" is not valid; must be a version such as 12.4'],
    ['rocmVersion', '6.2.0-66', 'must be a version such as 6.2'],
    ['migProfile', '', '"" is not valid; must be 1 to 64 characters'],
    ['migProfile', '1g.5gb ', '"1g.5gb " is not valid'],
    ['pciId', '20B2', '"20B2" is not valid; must be vendor and device as 10de:20b2'],
    ['gfxTarget', 'gfx90a:sramecc+:xnack-', 'must be an LLVM target such as gfx90a'],
    ['nvlinkGroup', '', '"" is not valid; must be 1 to 64 characters'],
    ['brand', 'Tesla\u0007', 'must be a text without control characters'],
    ['parentId', '', '"" is not valid'],
    ['parentId', 'GPU-1', '"GPU-1" is not valid; must be the device that it is a part of, not itself'],
  ])('refuses %s %j with its name, its value, and what would be right', (field, value, says) => {
    const [fault = '', ...more] = faultsOf([{ ...gpu, [field]: value }]);
    expect(fault).toMatch(new RegExp(`^devices\\.0\\.${field}: `));
    expect(fault).toContain(says);
    expect(more).toEqual([]);
  });

  it.each<[keyof DeviceInput, unknown]>([
    ['driverVersion', '580.95.05 (open)'],
    ['driverVersion', 'I915_23.10.32'],
    ['driverVersion', '6.8.5'],
    ['driverVersion', undefined],
    ['driverVersion', null],
    ['migProfile', '1c.3g.20gb'],
    ['migProfile', '1g.10gb+me'],
    ['migProfile', '1g.24gb+gfx'],
    ['computeCapability', '12.1'],
    ['gfxTarget', 'gfx1201'],
    ['pciId', '10DE:20B2'],
    ['pciAddress', '00000000:07:00.0'],
    ['memoryMiB', 294_896],
    ['utilisation', 0],
    ['utilisation', 1],
    ['parentId', 'GPU-that-is-not-reported'],
  ])('accepts %s %j', (field, value) => {
    expect(faultsOf([{ ...gpu, [field]: value }])).toEqual([]);
  });

  it('stores nothing for a field that is left out', () => {
    expect(storedDevices([{ ...gpu, driverVersion: null, memoryMiB: undefined }])).toEqual([
      { ...gpu, health: 'UNKNOWN' },
    ]);
  });
});

describe('devices of one report', () => {
  it('accepts each id once', () => {
    expect(faultsOf([gpu, { ...gpu, id: 'GPU-2' }, { ...gpu, model: 'other' }, gpu])).toEqual([
      'devices.2.id: "GPU-1" is not valid; must be unique',
      'devices.3.id: "GPU-1" is not valid; must be unique',
    ]);
  });

  it('accepts a slice of a GPU, but no slice of a slice and no cycle', () => {
    const slice = (id: string, parentId: string): DeviceInput => ({
      ...gpu,
      id,
      migProfile: '1g.5gb',
      parentId,
    });
    expect(faultsOf([gpu, slice('MIG-1', 'GPU-1'), slice('MIG-2', 'GPU-1')])).toEqual([]);
    expect(faultsOf([slice('MIG-1', 'GPU-9'), slice('MIG-2', 'MIG-1')])).toEqual([
      'devices.1.parentId: "MIG-1" is not valid; must be a whole device; that one is a part itself',
    ]);
    expect(faultsOf([slice('MIG-1', 'MIG-2'), slice('MIG-2', 'MIG-1')])).toHaveLength(2);
  });
});

describe('device use', () => {
  const faults = (use: readonly DeviceUseInput[], hasDevices = false): readonly string[] => {
    const errors = new InputErrors<WorkerErrorCode>();
    checkDeviceUse(errors, ['deviceUse'], use, hasDevices);
    return errors.all.map(({ message }) => message);
  };

  it('accepts each device once, within the limits', () => {
    expect(
      faults([{ id: 'GPU-1', utilisation: 1 }, { id: 'GPU-2', memoryUsedMiB: 0 }, { id: 'GPU-3' }]),
    ).toEqual([]);
    expect(
      faults([
        { id: 'GPU-1', utilisation: 57 },
        { id: 'GPU-1', memoryUsedMiB: -1 },
      ]),
    ).toEqual([
      'deviceUse.0.utilisation: 57 is not valid; must be a number from 0 to 1',
      'deviceUse.1.id: "GPU-1" is not valid; must be unique',
      'deviceUse.1.memoryUsedMiB: -1 is too small; must be at least 0',
    ]);
    expect(faults(many(257))).toEqual(['deviceUse: "257 devices" is not valid; must be at most 256 devices']);
  });

  it('accepts the use with the devices or without them, not both', () => {
    expect(faults([{ id: 'GPU-1' }], true)).toEqual([
      'deviceUse: "1 entries" is not valid; must be absent where devices are given: they contain it',
    ]);
  });
});
