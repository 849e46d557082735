import { describe, expect, it } from '@jest/globals';
import { GpuHost, sourceOf } from '../../../testing/gpu-host.js';
import {
  gpuXml,
  lostLine,
  mixed,
  mixedIds,
  noDriver,
  pairsTopology,
  refusedField,
  smiXml,
} from '../../../testing/gpu-samples/nvidia.js';

const host = new GpuHost();

describe('findDevices on a host with NVIDIA devices', () => {
  it('offers slices instead of a divided GPU, with the facts of the GPU', async () => {
    await host.nvidiaSmi();
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

  it('gives each linked pair a group', async () => {
    const uuid = (index: number): string => `GPU-0000000${index}-0000-0000-0000-000000000000`;
    const line = (index: number): string =>
      `${index}, ${uuid(index)}, NVIDIA RTX A6000, 00000000:0${index}:00.0, 0x223010DE, 49140, 1, 0, 575.57.08, Disabled, [N/A], 8.6`;
    await host.nvidiaSmi({
      query: { says: [0, 1, 2, 3].map(line).join('\n') },
      xml: { says: smiXml([], '575.57.08', '12.9') },
      list: { says: '' },
      topology: { says: pairsTopology },
    });
    const groups = (await host.find()).map(({ nvlinkGroup }) => nvlinkGroup);
    expect(groups).toEqual(['nvlink:0,1', 'nvlink:0,1', 'nvlink:2,3', 'nvlink:2,3']);
  });

  it('leaves a field unknown that an old driver does not know', async () => {
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

  it('reports a device with MIG enabled and no instance as unhealthy', async () => {
    await host.nvidiaSmi({
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

  it('reports a device that fell off the bus of its driver as unhealthy', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    await host.onBus('0000:3b:00.0', '10de', '1eb8', { driver: 'nvidia' });
    const [a100 = ''] = mixed.query.split('\n');
    await host.nvidiaSmi({ query: { says: `${a100}\n${lostLine}\n`, exitCode: 15 } });
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

  it('gives up a tool that hangs, and reports the devices as unhealthy', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    await host.nvidiaSmi({ query: { says: '', hangs: true } });
    const devices = await host.find({ timeoutMs: 300 });
    expect(devices).toMatchObject([{ id: 'PCI-0000:01:00.0', health: 'UNHEALTHY' }]);
    expect(sourceOf(devices[0], 'health')).toContain('nvidia-smi: no answer within 0.3 s');
    expect(sourceOf(devices[0], 'driverVersion')).toBe('unknown: nvidia-smi: no answer within 0.3 s');
  });

  it('keeps the other outputs if the second tool hangs', async () => {
    await host.nvidiaSmi({ xml: { says: '', hangs: true } });
    const devices = await host.find({ timeoutMs: 1000 });
    expect(devices.map(({ id, parentId, health }) => [id, parentId, health])).toEqual([
      ...mixedIds.slices.map((id) => [id, mixedIds.a100, 'HEALTHY']),
      [mixedIds.t4, undefined, 'HEALTHY'],
    ]);
    expect(devices[0]).toMatchObject({ migProfile: '3g.40gb', partitionMode: 'MIG' });
    // The memory of the whole GPU does not belong to the slice.
    expect(devices[0]?.memoryMiB).toBeUndefined();
    expect(sourceOf(devices[3], 'cudaVersion')).toBe('unknown: nvidia-smi -q -x: no answer within 1 s');
  });

  it('does not offer a divided GPU whole if only its mode is known', async () => {
    await host.nvidiaSmi({ xml: { says: '', exitCode: 255 }, list: { says: '', exitCode: 255 } });
    const [divided, t4] = await host.find();
    expect(divided).toMatchObject({ id: mixedIds.a100, partitionMode: 'MIG', health: 'UNHEALTHY' });
    expect(sourceOf(divided, 'health')).toBe('MIG is enabled, and nvidia-smi -L: exit code 255');
    expect(t4).toMatchObject({ id: mixedIds.t4, health: 'HEALTHY' });
  });

  it('reports the reason if library and driver differ', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2', { driver: 'nvidia' });
    const says = 'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161';
    await host.tool('nvidia-smi', [{ to: '', says, exitCode: 18 }]);
    const [device] = await host.find();
    expect(device).toMatchObject({ health: 'UNHEALTHY' });
    expect(sourceOf(device, 'health')).toMatch(/exit code 18: .*Driver\/library version mismatch$/);
  });

  it('reports the tool’s message without a driver', async () => {
    await host.onBus('0000:01:00.0', '10de', '20b2');
    await host.tool('nvidia-smi', [{ to: '', says: noDriver, exitCode: 9 }]);
    const [device] = await host.find();
    expect(device).toMatchObject({ health: 'UNHEALTHY', pciId: '10de:20b2' });
    expect(sourceOf(device, 'health')).toContain("couldn't communicate with the NVIDIA driver");
  });

  it('takes the names from the bus without any tool', async () => {
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

  it('offers only what a batch system gave this pilot', async () => {
    await host.nvidiaSmi();
    const ids = async (words: string): Promise<string[]> =>
      (await host.find({ visible: { NVIDIA: words } })).map(({ id }) => id);
    expect(await ids('1')).toEqual([mixedIds.t4]);
    expect(await ids('0')).toEqual([...mixedIds.slices]);
    expect(await ids(mixedIds.slices[1])).toEqual([mixedIds.slices[1]]);
    expect(await ids(`MIG-${mixedIds.a100}/2/0`)).toEqual([mixedIds.slices[1]]);
    expect(await ids(mixedIds.t4.slice(0, 8))).toEqual([mixedIds.t4]);
    expect(await ids(`${mixedIds.t4},7,0`)).toEqual([mixedIds.t4]);
    expect(await ids('')).toEqual([]);
  });
});
