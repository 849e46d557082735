import { describe, expect, it } from '@jest/globals';
import { exportEntries } from './hardware-export.js';
import { driverBranch, gpuHardware, type SeenWorker } from './hardware-map.js';
import type { DeviceDocument } from '../gpus/device.types.js';

const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));
const hardware = {
  architecture: 'x86_64',
  architectureLevel: 'x86-64-v3',
  cpuVendor: 'AuthenticAMD',
  cpuModel: 'AMD EPYC 7763 64-Core Processor',
  cores: 64,
  memoryMiB: 256_000,
  diskMiB: 0,
  containerRuntimes: [],
};
const a100 = (id: string, change: Partial<DeviceDocument> = {}): DeviceDocument => ({
  id,
  vendor: 'NVIDIA',
  model: 'NVIDIA A100-SXM4-80GB',
  pciId: '10de:20b2',
  memoryMiB: 81_920,
  computeCapability: '8.0',
  driverVersion: '575.57.08',
  cudaVersion: '12.9',
  health: 'HEALTHY',
  ...change,
});

interface Change {
  readonly site?: string;
  readonly state?: 'READY' | 'DRAINING';
  readonly booked?: readonly string[];
  readonly minute?: number;
}
const seen = (id: string, devices: readonly DeviceDocument[], change: Change = {}): SeenWorker => ({
  worker: { id, host: `host-${id}`, state: change.state ?? 'READY', devices, hardware },
  queue: { name: 'q', site: change.site ?? 'POLE' },
  lastSeenAt: at(change.minute ?? 0),
  booked: new Set(change.booked),
});

describe('gpuHardware', () => {
  it('counts a device that several pilots of a host report once, and as free if none of them has given it to a job', () => {
    const onHost = (id: string, change: Change, devices: readonly DeviceDocument[]): SeenWorker => {
      const one = seen(id, devices, change);
      return { ...one, worker: { ...one.worker, host: 'node-1' } };
    };
    const [a, b, c] = ['PCI-0000:3b:00.0', 'PCI-0000:3c:00.0', 'PCI-0000:3d:00.0'] as const;
    const rows = gpuHardware([
      onHost('1', { booked: [a], minute: 1 }, [a100(a), a100(b), a100(c)]),
      onHost('2', { minute: 4 }, [a100(a), a100(b), a100(c, { health: 'UNHEALTHY' })]),
      onHost('3', { site: 'OTHER' }, [a100(a)]),
    ]);
    expect(rows).toMatchObject([{ hosts: 2, devices: 4, free: 2, unhealthy: 1, lastSeenAt: at(4) }]);
    // Local names of two workers mean two devices, as the scheduler grants both.
    expect(gpuHardware([onHost('1', {}, [a100('gpu0')]), onHost('2', {}, [a100('gpu0')])])).toMatchObject([
      { hosts: 1, devices: 2 },
    ]);
  });

  it('counts total, free, unhealthy and unknown devices, and returns when they were last seen', () => {
    const rows = gpuHardware([
      seen('1', [a100('a'), a100('b'), a100('c', { health: 'UNHEALTHY' })], { booked: ['b'], minute: 3 }),
      seen('2', [a100('d'), a100('e', { health: 'UNKNOWN' })], { minute: 7 }),
      seen('3', [a100('f')], { state: 'DRAINING', minute: 5 }),
    ]);
    expect(rows).toEqual([
      {
        vendor: 'NVIDIA',
        model: 'A100-SXM4-80GB',
        reportedAs: ['NVIDIA A100-SXM4-80GB'],
        migProfile: null,
        partition: null,
        driverBranch: '575',
        oldestDriver: '575.57.08',
        cudaVersion: '12.9',
        rocmVersion: null,
        memoryMiB: 81_920,
        target: '8.0',
        hosts: 3,
        devices: 6,
        free: 2,
        unhealthy: 1,
        unknown: 1,
        lastSeenAt: at(7),
      },
    ]);
  });

  it('keeps driver branches and CUDA versions apart, so that an old driver hides no new one', () => {
    const old = { driverVersion: '535.54.03', cudaVersion: '12.2' };
    const older = { driverVersion: '535.104.12', cudaVersion: '12.2' };
    const rows = gpuHardware([seen('1', [a100('a'), a100('b', old), a100('c', older)])]);
    expect(rows.map((row) => [row.driverBranch, row.oldestDriver, row.cudaVersion, row.devices])).toEqual([
      ['535', '535.54.03', '12.2', 2],
      ['575', '575.57.08', '12.9', 1],
    ]);
  });

  it('counts slices and not the device they belong to, and keeps whole devices separate', () => {
    const slice = (id: string): DeviceDocument =>
      a100(id, { migProfile: '3g.40gb', parentId: 'a', memoryMiB: 40_192 });
    const rows = gpuHardware([
      seen('1', [a100('a'), slice('s1'), slice('s2'), a100('b')], { booked: ['s1'] }),
    ]);
    expect(rows.map(({ migProfile, devices, free }) => [migProfile, devices, free])).toEqual([
      ['3g.40gb', 2, 1],
      [null, 1, 1],
    ]);
  });

  it('has one row for a model, however its drivers name it, and keeps the name of an unknown model', () => {
    const { pciId: _pciId, ...named } = a100('b', { model: 'A100-SXM4-80GB' });
    const { pciId: _other, ...strange } = a100('c', { model: 'Frobnicator 3000' });
    const rows = gpuHardware([seen('1', [a100('a'), named, strange])]);
    expect(rows.map(({ model, reportedAs }) => [model, reportedAs])).toEqual([
      ['A100-SXM4-80GB', ['A100-SXM4-80GB', 'NVIDIA A100-SXM4-80GB']],
      ['Frobnicator 3000', ['Frobnicator 3000']],
    ]);
  });

  it('returns unknown facts as unknown, and puts no device into another’s row', () => {
    const bare: DeviceDocument = {
      id: 'x',
      vendor: 'AMD',
      model: 'unknown AMD device 1002:ffff',
      health: 'UNKNOWN',
    };
    expect(gpuHardware([seen('1', [bare])])).toMatchObject([
      {
        driverBranch: null,
        oldestDriver: null,
        memoryMiB: null,
        target: null,
        devices: 1,
        free: 0,
        unknown: 1,
      },
    ]);
  });

  it('lists partitions in a row of their own, with their part of the memory, and as a separate model of the export', () => {
    const mi300 = (id: string, change: Partial<DeviceDocument>): DeviceDocument => ({
      ...{ id, vendor: 'AMD', model: 'AMD Instinct MI300X', memoryMiB: 196_592, health: 'HEALTHY' },
      ...change,
    });
    const parts = ['p/0', 'p/1'].map((id) => mi300(id, { parentId: 'p', partitionMode: 'CPX/NPS4' }));
    const workers = [seen('1', [mi300('w', { partitionMode: 'SPX/NPS1' }), ...parts])];
    expect(gpuHardware(workers)).toMatchObject([
      { model: 'MI300X', partition: 'CPX/NPS4', devices: 2, memoryMiB: 24_574 },
      { model: 'MI300X', partition: null, devices: 1, memoryMiB: 196_592 },
    ]);
    expect(exportEntries(workers).flatMap(({ type, model }) => (type === 'gpu' ? model : []))).toEqual([
      'mi300x-cpx-nps4',
      'mi300x',
    ]);
  });

  it('counts slices of an unhealthy device as unhealthy, whatever their worker reports of them', () => {
    const devices = [a100('g', { health: 'UNHEALTHY' }), a100('s', { parentId: 'g', migProfile: '1g.10gb' })];
    expect(gpuHardware([seen('1', devices)])).toMatchObject([{ devices: 1, free: 0, unhealthy: 1 }]);
    expect(exportEntries([seen('1', devices)]).filter(({ type }) => type === 'gpu')).toEqual([]);
  });

  it('keeps the time of the last report of hardware that is gone, without devices', () => {
    const gone = { queue: { name: 'q', site: 'POLE' }, device: a100('z'), lastSeenAt: at(50) };
    expect(gpuHardware([], [gone])).toMatchObject([{ devices: 0, hosts: 0, lastSeenAt: at(50) }]);
    expect(gpuHardware([seen('1', [a100('a')])], [gone])).toMatchObject([{ devices: 1, lastSeenAt: at(50) }]);
  });

  it('filters by vendor and by any name of a model', () => {
    const mi210: DeviceDocument = { id: 'm', vendor: 'AMD', model: 'AMD Instinct MI210', health: 'HEALTHY' };
    const workers = [seen('1', [a100('a'), mi210])];
    const models = (filter: object): string[] => gpuHardware(workers, [], filter).map(({ model }) => model);
    expect(models({ vendors: ['amd'] })).toEqual(['MI210']);
    expect(models({ models: ['A100'] })).toEqual(['A100-SXM4-80GB']);
    expect(models({ models: ['T4'] })).toEqual([]);
  });
});

describe('driverBranch', () => {
  it.each([
    ['NVIDIA', '575.57.08', '575'],
    ['AMD', '6.10.5', '6.10'],
    ['INTEL', 'I915_23.10.32', 'I915_23.10.32'],
    ['NVIDIA', undefined, null],
  ])('maps %s %s to %s', (vendor, driverVersion, branch) => {
    expect(driverBranch({ vendor, ...(driverVersion === undefined ? {} : { driverVersion }) })).toBe(branch);
  });
});

describe('exportEntries', () => {
  it('has one entry for equal CPUs and one for equal GPUs that jobs can use', () => {
    const slice = a100('s', { migProfile: '1g.10gb', parentId: 'gone', memoryMiB: 9728 });
    const workers = [
      seen('1', [a100('a'), a100('b', { health: 'UNHEALTHY' }), slice]),
      seen('2', [a100('c', { driverVersion: '575.51.03' })]),
      seen('3', [a100('d', { health: 'UNKNOWN', cudaVersion: '11.8' })]),
    ];
    expect(exportEntries(workers)).toEqual([
      {
        type: 'cpu',
        arch: ['x86_64'],
        instr: ['x86-64-v3'],
        vendor: ['amd'],
        model: ['amd-epyc-7763-64-core-processor'],
        version: null,
        driverVersion: null,
        target: null,
        vramMiB: null,
        hosts: 3,
        count: 192,
      },
      {
        type: 'gpu',
        arch: [],
        instr: [],
        vendor: ['nvidia'],
        model: ['a100-sxm4-80gb'],
        version: '12.9',
        driverVersion: '575.51.03',
        target: '8.0',
        vramMiB: 81_920,
        hosts: 2,
        count: 2,
      },
      expect.objectContaining({ model: ['a100-sxm4-80gb-mig-1g.10gb'], vramMiB: 9728, hosts: 1, count: 1 }),
    ]);
  });
});
