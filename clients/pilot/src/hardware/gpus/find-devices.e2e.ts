import { describe, expect, test } from '@jest/globals';
import { type Answer, GpuHost, sourceOf } from '../../testing/gpu-host.js';
import * as amd from '../../testing/gpu-samples/amd.js';
import * as intel from '../../testing/gpu-samples/intel.js';
import {
  gpuXml,
  lostLine,
  mixed,
  mixedIds,
  noDriver,
  pairsTopology,
  refusedField,
  smiXml,
} from '../../testing/gpu-samples/nvidia.js';

const host = new GpuHost();

async function nvidiaTool(
  answers: Partial<Record<'query' | 'xml' | 'list' | 'topology', Partial<Answer>>> = {},
) {
  await host.tool('nvidia-smi', [
    { to: '--query-gpu=', says: mixed.query, ...answers.query },
    { to: '-q -x', says: mixed.xml, ...answers.xml },
    { to: '-L', says: mixed.list, ...answers.list },
    { to: 'topo -m', says: '', ...answers.topology },
  ]);
}

describe('a host with NVIDIA devices', () => {
  test('of two models, one of them divided: slices stand for it, with the facts of their device', async () => {
    await nvidiaTool();
    const devices = await host.find();
    expect(devices.map(({ id }) => id)).toEqual([...mixedIds.slices, mixedIds.t4]);
    expect(devices[0]).toMatchObject({
      vendor: 'NVIDIA',
      model: 'NVIDIA A100-SXM4-80GB',
      memoryMiB: 40192,
      memoryUsedMiB: 25,
      computeCapability: '8.0',
      driverVersion: '535.54.03',
      cudaVersion: '12.2',
      migProfile: '3g.40gb',
      parentId: mixedIds.a100,
      partitionMode: 'MIG',
      pciId: '10de:20b2',
      pciAddress: '0000:01:00.0',
      eccEnabled: true,
      health: 'HEALTHY',
      visibleAs: mixedIds.slices[0],
    });
    expect(devices[0]?.utilisation).toBeUndefined();
    expect(sourceOf(devices[0], 'utilisation')).toBe('unknown: not measured for MIG devices');
    expect(sourceOf(devices[0], 'migProfile')).toBe('nvidia-smi -L');
    expect(sourceOf(devices[0], 'cudaVersion')).toBe('nvidia-smi -q -x');
    expect(devices[3]).toMatchObject({ model: 'Tesla T4', utilisation: 0.42, memoryUsedMiB: 3072 });
    expect(sourceOf(devices[3], 'memoryMiB')).toBe('nvidia-smi --query-gpu');
  });

  test('of which pairs are linked: the pairs have a group each', async () => {
    const uuid = (index: number): string => `GPU-0000000${index}-0000-0000-0000-000000000000`;
    const line = (index: number): string =>
      `${index}, ${uuid(index)}, NVIDIA RTX A6000, 00000000:0${index}:00.0, 0x223010DE, 49140, 1, 0, 575.57.08, Disabled, [N/A], 8.6`;
    await nvidiaTool({
      query: { says: [0, 1, 2, 3].map(line).join('\n') },
      xml: { says: smiXml([], '575.57.08', '12.9') },
      list: { says: '' },
      topology: { says: pairsTopology },
    });
    const groups = (await host.find()).map(({ nvlinkGroup }) => nvlinkGroup);
    expect(groups).toEqual(['nvlink:0,1', 'nvlink:0,1', 'nvlink:2,3', 'nvlink:2,3']);
  });

  test('whose old driver does not know a field: that fact alone is unknown', async () => {
    const fields = mixed.query
      .split('\n')
      .map((line) => line.split(', ').slice(0, -1).join(', '))
      .join('\n');
    const withField = `--query-gpu=${'index,uuid,name,pci.bus_id,pci.device_id,memory.total,memory.used,utilization.gpu,driver_version,ecc.mode.current,mig.mode.current,compute_cap'}`;
    await host.tool('nvidia-smi', [
      { to: withField, says: refusedField('compute_cap'), exitCode: 2 },
      { to: '--query-gpu=', says: fields },
      { to: '-q -x', says: mixed.xml },
      { to: '-L', says: mixed.list },
    ]);
    const [slice] = await host.find();
    expect(slice).toMatchObject({ driverVersion: '535.54.03', health: 'HEALTHY' });
    expect(slice?.computeCapability).toBeUndefined();
    expect(sourceOf(slice, 'computeCapability')).toMatch(/^unknown: /);
  });

  test('with MIG enabled and no instance: the device cannot be used, and says why', async () => {
    await nvidiaTool({
      query: { says: mixed.query.split('\n')[0] ?? '' },
      xml: {
        says: smiXml([
          gpuXml({
            bus: '00000000:01:00.0',
            name: 'NVIDIA A100-SXM4-80GB',
            uuid: mixedIds.a100,
            deviceId: '20B2',
            memory: [81920, 0],
            mig: '',
          }),
        ]),
      },
      list: { says: `GPU 0: NVIDIA A100-SXM4-80GB (UUID: ${mixedIds.a100})\n` },
    });
    const [device, ...others] = await host.find();
    expect(others).toEqual([]);
    expect(device).toMatchObject({ id: mixedIds.a100, health: 'UNHEALTHY' });
    expect(sourceOf(device, 'health')).toBe('nvidia-smi -q -x: MIG is enabled and there is no instance');
  });

  test('one of which fell off the bus of its driver: the kernel still sees it, and it is unhealthy', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    await host.onBus('0000:3b:00.0', '10de', '1eb8', { driver: 'nvidia' });
    const [a100 = ''] = mixed.query.split('\n');
    await nvidiaTool({ query: { says: `${a100}\n${lostLine}\n`, exitCode: 15 } });
    const devices = await host.find();
    const lost = devices.find(({ pciAddress }) => pciAddress === '0000:3b:00.0');
    expect(lost).toMatchObject({
      id: 'PCI-0000:3b:00.0',
      pciId: '10de:1eb8',
      health: 'UNHEALTHY',
      visibleAs: null,
    });
    expect(sourceOf(lost, 'health')).toContain(lostLine.slice(0, 30));
    expect(devices.filter(({ health }) => health === 'HEALTHY')).toHaveLength(3);
  });

  test('whose tool hangs: it is given up in time, and the devices are unhealthy', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    await nvidiaTool({ query: { says: '', hangs: true } });
    const startedAt = performance.now();
    const devices = await host.find({ timeoutMs: 300 });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(devices).toMatchObject([{ id: 'PCI-0000:01:00.0', health: 'UNHEALTHY' }]);
    expect(sourceOf(devices[0], 'health')).toContain('nvidia-smi: no answer within 0.3 s');
    expect(sourceOf(devices[0], 'driverVersion')).toBe('unknown: nvidia-smi: no answer within 0.3 s');
  });

  test('whose second tool hangs: what the others said stands, and a GPU that is divided is its slices', async () => {
    await nvidiaTool({ xml: { says: '', hangs: true } });
    const devices = await host.find({ timeoutMs: 1000 });
    expect(devices.map(({ id, parentId, health }) => [id, parentId, health])).toEqual([
      ...mixedIds.slices.map((id) => [id, mixedIds.a100, 'HEALTHY']),
      [mixedIds.t4, undefined, 'HEALTHY'],
    ]);
    expect(devices[0]).toMatchObject({ migProfile: '3g.40gb', partitionMode: 'MIG' });
    // The memory of the whole is not a slice's.
    expect(devices[0]?.memoryMiB).toBeUndefined();
    expect(sourceOf(devices[3], 'cudaVersion')).toBe('unknown: nvidia-smi -q -x: no answer within 1 s');
  });

  test('of which nothing but its mode is told: a divided GPU is not offered whole', async () => {
    await nvidiaTool({ xml: { says: '', exitCode: 255 }, list: { says: '', exitCode: 255 } });
    const [divided, t4] = await host.find();
    expect(divided).toMatchObject({ id: mixedIds.a100, partitionMode: 'MIG', health: 'UNHEALTHY' });
    expect(sourceOf(divided, 'health')).toBe('MIG is enabled, and nvidia-smi -L: exit code 255');
    expect(t4).toMatchObject({ id: mixedIds.t4, health: 'HEALTHY' });
  });

  test('whose library is of another version than its driver: the reason is told, not the line after it', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    const says = 'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161';
    await host.tool('nvidia-smi', [{ to: '', says, exitCode: 18 }]);
    const [device] = await host.find();
    expect(device).toMatchObject({ health: 'UNHEALTHY' });
    expect(sourceOf(device, 'health')).toMatch(/exit code 18: .*Driver\/library version mismatch$/);
  });

  test('without a driver that answers: unhealthy, with the tool’s own words', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2');
    await host.tool('nvidia-smi', [{ to: '', says: noDriver, exitCode: 9 }]);
    const [device] = await host.find();
    expect(device).toMatchObject({ health: 'UNHEALTHY', pciId: '10de:20b2' });
    expect(sourceOf(device, 'health')).toContain("couldn't communicate with the NVIDIA driver");
  });

  test('without any tool: the bus names the devices, the driver is unknown and says so', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    const [device] = await host.find();
    expect(device).toMatchObject({
      id: 'PCI-0000:01:00.0',
      vendor: 'NVIDIA',
      model: 'unknown NVIDIA device 10de:20b2',
      pciId: '10de:20b2',
      health: 'UNKNOWN',
      visibleAs: null,
    });
    expect(device?.driverVersion).toBeUndefined();
    expect(sourceOf(device, 'driverVersion')).toBe('unknown: nvidia-smi is not on this host');
    expect(sourceOf(device, 'pciId')).toBe('/sys/bus/pci/devices');
  });
});

describe('a host with AMD devices', () => {
  test('is described by amd-smi; memory errors make a device unhealthy', async () => {
    await host.tool('amd-smi', [
      { to: 'static', says: amd.amdSmi.static },
      { to: 'metric', says: amd.amdSmi.metric },
      { to: 'version', says: amd.amdSmi.version },
    ]);
    const devices = await host.find();
    expect(devices[0]).toMatchObject({
      id: 'GPU-6f1f0a2b3c4d5e6f',
      visibleAs: 'GPU-6f1f0a2b3c4d5e6f',
      vendor: 'AMD',
      model: 'AMD Instinct MI300X',
      gfxTarget: 'gfx942',
      rocmVersion: '6.4.1',
      memoryMiB: 196592,
      utilisation: 0.25,
      health: 'HEALTHY',
    });
    expect(devices[1]?.health).toBe('UNHEALTHY');
    expect(sourceOf(devices[1], 'health')).toBe('amd-smi: 2 uncorrectable memory errors');
    expect(sourceOf(devices[0], 'rocmVersion')).toBe('amd-smi version');
  });

  test('that is partitioned: each partition is a device that a payload sees by its number', async () => {
    await host.tool('amd-smi', [{ to: 'static', says: amd.partitioned }]);
    const devices = await host.find();
    expect(devices.map(({ id, visibleAs }) => [id, visibleAs])).toEqual([
      ['GPU-6f1f0a2b3c4d5e6f/0', '0'],
      ['GPU-6f1f0a2b3c4d5e6f/1', '1'],
      ['GPU-6f1f0a2b3c4d5e6f/2', '2'],
    ]);
    expect(devices.map(({ parentId, partitionMode }) => [parentId, partitionMode])).toEqual(
      devices.map(() => ['GPU-6f1f0a2b3c4d5e6f', 'CPX/NPS1']),
    );
    // A batch system that gave the pilot one of them did so by the number that ROCm has for it.
    const given = await host.find({ visible: { AMD: '1' } });
    expect(given.map(({ id }) => id)).toEqual(['GPU-6f1f0a2b3c4d5e6f/1']);
  });

  test('whose static facts leave out the partition, is asked for it as well', async () => {
    await host.tool('amd-smi', [
      { to: 'static', says: amd.withoutPartition },
      { to: 'partition', says: amd.partitions },
    ]);
    const devices = await host.find();
    expect(devices).toMatchObject([
      { id: 'GPU-6f1f0a2b3c4d5e6f/0', partitionMode: 'DPX/NPS1' },
      // The tool tells the mode of a divided device with its first part alone.
      { id: 'GPU-6f1f0a2b3c4d5e6f/1', pciAddress: '0000:05:00.1', partitionMode: 'DPX/NPS1' },
    ]);
  });

  test('is described by rocm-smi where there is no amd-smi; unknown names stay unknown', async () => {
    await host.onBus('0000:c7:00.0', '1002', '73df', { kind: '0x030000', driver: 'amdgpu' });
    await host.tool('rocm-smi', [{ to: '--showid', says: amd.rocmSmi }]);
    const devices = await host.find();
    expect(devices).toMatchObject([
      { id: 'GPU-04edfb117a17a07d', model: 'Instinct MI100', gfxTarget: 'gfx908', health: 'HEALTHY' },
      { id: 'PCI-0000:c7:00.0', model: 'unknown AMD device 1002:73df', visibleAs: '1' },
    ]);
    expect(sourceOf(devices[1], 'gfxTarget')).toBe('unknown: rocm-smi does not tell it');
  });

  test('without any tool: memory and use come from the kernel, driver and ROCm are unknown', async () => {
    await host.onBus('0000:83:00.0', '1002', '740f', {
      kind: '0x038000',
      driver: 'amdgpu',
      files: {
        mem_info_vram_total: String(64 * 2 ** 30),
        mem_info_vram_used: String(2 ** 30),
        gpu_busy_percent: '7',
        unique_id: '4edfb117a17a07d',
        current_compute_partition: 'SPX',
      },
    });
    const [device] = await host.find();
    expect(device).toMatchObject({
      id: 'GPU-04edfb117a17a07d',
      memoryMiB: 65536,
      memoryUsedMiB: 1024,
      utilisation: 0.07,
      partitionMode: 'SPX',
      health: 'UNKNOWN',
    });
    expect(sourceOf(device, 'driverVersion')).toBe('unknown: neither amd-smi nor rocm-smi is on this host');
    expect(sourceOf(device, 'memoryMiB')).toBe('sysfs amdgpu');
  });
});

describe('a host with Intel devices', () => {
  test('is described by xpu-smi; integrated devices and virtual functions are left out', async () => {
    await host.tool('xpu-smi', [
      { to: 'discovery -j', says: intel.discovery },
      { to: 'discovery -d 0', says: intel.details },
      { to: 'discovery -d 1', says: intel.details.replace('0000:29:00.0', '0000:9a:00.0') },
      { to: 'stats -d 0', says: intel.stats },
      { to: 'health -d 0', says: intel.health('OK') },
      { to: 'health -d 1', says: intel.health('Critical') },
    ]);
    const devices = await host.find();
    expect(devices).toMatchObject([
      {
        id: '00000000-0000-0029-0000-002f0bda8086',
        visibleAs: '0',
        vendor: 'INTEL',
        model: 'Intel(R) Data Center GPU Max 1100',
        pciId: '8086:0bda',
        memoryMiB: 49152,
        utilisation: 0.635,
        health: 'HEALTHY',
      },
      { id: '00000000-0000-009a-0000-002f0bda8086', visibleAs: '1', health: 'UNHEALTHY' },
    ]);
    expect(sourceOf(devices[1], 'health')).toMatch(/^xpu-smi: memory is critical/);
  });

  test('whose health xpu-smi may not ask: the driver’s word counts, and without it nothing is known', async () => {
    await host.onBus('0000:29:00.0', '8086', '0bda', {
      ...{ kind: '0x038000', driver: 'i915' },
      files: { 'drm/renderD128/dev': '226:128' },
    });
    await host.tool('xpu-smi', [
      { to: 'discovery -j', says: intel.discovery },
      { to: 'discovery -d', says: intel.details },
      { to: 'health', says: '{"error": "no permission", "errno": 5}', exitCode: 1 },
    ]);
    const [known, other] = await host.find();
    expect(known).toMatchObject({ pciAddress: '0000:29:00.0', health: 'HEALTHY' });
    expect(sourceOf(known, 'health')).toBe('sysfs: i915 has brought it up');
    expect(other?.health).toBe('UNKNOWN');
    expect(sourceOf(other, 'health')).toBe('unknown: xpu-smi health does not tell it');
  });

  test('without any tool: local memory comes from the kernel, of i915 or of xe', async () => {
    await host.onBus('0000:29:00.0', '8086', '56c0', {
      kind: '0x038000',
      driver: 'i915',
      files: { 'drm/card1/lmem_total_bytes': String(14 * 2 ** 30) },
    });
    await host.onBus('0000:9a:00.0', '8086', '0bd5', {
      kind: '0x038000',
      driver: 'xe',
      files: {
        'tile0/physical_vram_size_bytes': '0x1000000000',
        'tile1/physical_vram_size_bytes': '0x1000000000',
      },
    });
    const devices = await host.find();
    expect(devices.map(({ memoryMiB, health }) => [memoryMiB, health])).toEqual([
      [14336, 'UNKNOWN'],
      [131072, 'UNKNOWN'],
    ]);
    expect(sourceOf(devices[0], 'driverVersion')).toBe('unknown: xpu-smi is not on this host');
  });
});

describe('any host', () => {
  test('without a GPU has no device, whatever else is on its bus', async () => {
    await host.onBus('0000:00:02.0', '8086', '4680', { kind: '0x030000', driver: 'i915' });
    await host.onBus('0000:02:00.0', '10de', '10f9', { kind: '0x040300' });
    await host.onBus('0000:03:00.0', '1a03', '2000', { kind: '0x030000' });
    await host.onBus('0000:04:00.0', '10de', '20b2', { driver: 'vfio-pci' });
    await host.onBus('0000:05:00.0', '1002', '74b5', { kind: '0x120000', isVirtual: true });
    expect(await host.find()).toEqual([]);
    expect(await host.find({ pciRoot: host.path('nowhere') })).toEqual([]);
  });

  test('with devices of several vendors has all of them', async () => {
    await nvidiaTool();
    await host.tool('rocm-smi', [{ to: '--showid', says: amd.rocmSmi }]);
    await host.onBus('0000:9a:00.0', '8086', '0bd5', { kind: '0x038000' });
    const devices = await host.find();
    const count = (vendor: string): number => devices.filter((device) => device.vendor === vendor).length;
    expect([count('NVIDIA'), count('AMD'), count('INTEL')]).toEqual([4, 2, 1]);
  });

  test('offers only what a batch system gave this pilot', async () => {
    await nvidiaTool();
    const ids = async (words: string): Promise<string[]> =>
      (await host.find({ visible: { NVIDIA: words } })).map(({ id }) => id);
    expect(await ids('1')).toEqual([mixedIds.t4]);
    expect(await ids('0')).toEqual([...mixedIds.slices]);
    expect(await ids(mixedIds.slices[1])).toEqual([mixedIds.slices[1]]);
    expect(await ids(mixedIds.t4.slice(0, 8))).toEqual([mixedIds.t4]);
    expect(await ids(`${mixedIds.t4},7,0`)).toEqual([mixedIds.t4]);
    expect(await ids('')).toEqual([]);
  });
});
