import { describe, expect, it } from '@jest/globals';
import { GpuHost, sourceOf } from '../../testing/gpu-host.js';
import { kfdProperties } from '../../testing/gpu-samples/amd.js';
import { procInformation } from '../../testing/gpu-samples/nvidia.js';

const host = new GpuHost();

describe('findDevices without tools on a host with NVIDIA devices', () => {
  it('reads name, UUID and driver version from the kernel driver', async () => {
    await host.onBus('0000:00:1e.0', '10de', '2237', { driver: 'nvidia' });
    await host.kernel({
      'proc/driver/nvidia/gpus/0000:00:1e.0/information': procInformation(),
      'sys/module/nvidia/version': '550.54.15',
    });
    const [device] = await host.find();
    expect(device).toMatchObject({
      id: 'GPU-82523fd8-3897-f599-d088-ccd04ae45ec1',
      visibleAs: 'GPU-82523fd8-3897-f599-d088-ccd04ae45ec1',
      model: 'NVIDIA A10G',
      driverVersion: '550.54.15',
      health: 'HEALTHY',
    });
    expect(device?.memoryMiB).toBeUndefined();
    expect(sourceOf(device, 'memoryMiB')).toBe('unknown: nvidia-smi is not on this host');
    expect(sourceOf(device, 'driverVersion')).toBe('/sys/module/nvidia/version');
    expect(sourceOf(device, 'health')).toBe('/proc/driver/nvidia/gpus: its driver has it');
  });

  it.each<[string, string, object]>([
    [
      'is not initialised',
      procInformation({ uuid: 'GPU-????????-????-????-????-????????????' }),
      { health: 'UNKNOWN', visibleAs: null },
    ],
    ['is excluded', procInformation({ excluded: 'Yes' }), { health: 'UNHEALTHY' }],
  ])('does not offer a device that %s', async (_what, information, expected) => {
    await host.onBus('0000:00:1e.0', '10de', '2237', { driver: 'nvidia' });
    await host.kernel({ 'proc/driver/nvidia/gpus/0000:00:1e.0/information': information });
    expect(await host.find()).toMatchObject([expected]);
  });

  it('does not offer a divided GPU: its slices have no names', async () => {
    await host.onBus('0000:00:1e.0', '10de', '20b2', { driver: 'nvidia' });
    await host.kernel({
      'proc/driver/nvidia/gpus/0000:00:1e.0/information': procInformation(),
      'proc/driver/nvidia/capabilities/gpu3/mig/gi1/access': 'DeviceFileMinor: 12',
    });
    expect((await host.find())[0]).toMatchObject({ partitionMode: 'MIG' });
  });
});

describe('findDevices without tools on a host with AMD devices', () => {
  const mi210 = {
    kind: '0x038000',
    driver: 'amdgpu',
    files: {
      mem_info_vram_total: String(64 * 2 ** 30),
      unique_id: '4edfb117a17a07d',
      'drm/renderD128/uevent': '',
    },
  };
  const nodes = (locations: readonly number[]): Readonly<Record<string, string>> =>
    Object.fromEntries(
      ['cpu_cores_count 64\nvendor_id 0\ngfx_target_version 0', ...locations.map(kfdProperties)].map(
        (text, node) => [`sys/class/kfd/kfd/topology/nodes/${node}/properties`, text],
      ),
    );

  it('reads target, driver and ROCm release from the kernel', async () => {
    await host.onBus('0000:83:00.0', '1002', '740f', mi210);
    await host.kernel({
      ...nodes([0x8300]),
      'sys/module/amdgpu/version': '6.10.5',
      'opt/rocm/.info/version': '6.3.1-48',
    });
    const [device] = await host.find();
    expect(device).toMatchObject({
      id: 'GPU-04edfb117a17a07d',
      memoryMiB: 65536,
      gfxTarget: 'gfx90a',
      driverVersion: '6.10.5',
      rocmVersion: '6.3.1',
      health: 'HEALTHY',
    });
    expect(sourceOf(device, 'gfxTarget')).toBe('/sys/class/kfd/kfd/topology/nodes');
    expect(sourceOf(device, 'health')).toBe('sysfs: amdgpu has initialised it');
    expect(sourceOf(device, 'eccEnabled')).toBe('unknown: neither amd-smi nor rocm-smi is on this host');
  });

  it('names a device without unique id by its number in ROCm', async () => {
    const { unique_id: _id, ...files } = mi210.files;
    await host.onBus('0000:83:00.0', '1002', '740f', { ...mi210, files });
    await host.kernel(nodes([0x4300, 0x8300]));
    expect((await host.find())[0]).toMatchObject({ id: 'PCI-0000:83:00.0', visibleAs: '1' });
  });

  it('takes the error counts of the driver', async () => {
    await host.onBus('0000:83:00.0', '1002', '740f', {
      ...mi210,
      files: { ...mi210.files, 'ras/umc_err_count': 'ue: 3\nce: 12', 'ras/gfx_err_count': 'ue: 0\nce: 0' },
    });
    const [device] = await host.find();
    expect(device?.health).toBe('UNHEALTHY');
    expect(sourceOf(device, 'health')).toBe('sysfs amdgpu: 3 uncorrectable memory errors');
  });

  it('does not offer a partitioned device: its parts have no names', async () => {
    await host.onBus('0000:83:00.0', '1002', '74a1', mi210);
    await host.kernel(nodes([0x8300, 0x8300]));
    const [device] = await host.find();
    expect(device).toMatchObject({ health: 'UNKNOWN', visibleAs: null });
    expect(sourceOf(device, 'health')).toMatch(/^unknown: it is partitioned/);
  });
});

describe('findDevices without tools on a host with Intel devices', () => {
  const up = (more: Readonly<Record<string, string>> = {}) => ({
    kind: '0x038000',
    driver: 'xe',
    files: { 'drm/renderD129/uevent': '', ...more },
  });

  it('numbers them by address with those that are left out', async () => {
    await host.onBus('0000:00:02.0', '8086', '4680', { ...up(), kind: '0x030000' });
    await host.onBus('0000:29:00.0', '8086', '0bda', up({ 'tile0/physical_vram_size_bytes': '0xc00000000' }));
    await host.onBus('0000:9a:00.0', '8086', '0bda', { kind: '0x038000' });
    await host.kernel({ 'sys/module/xe/version': '1.2.3' });
    const devices = await host.find();
    expect(devices).toMatchObject([
      { id: 'PCI-0000:29:00.0', visibleAs: '1', memoryMiB: 49152, driverVersion: '1.2.3', health: 'HEALTHY' },
      { id: 'PCI-0000:9a:00.0', visibleAs: null, health: 'UNKNOWN' },
    ]);
    expect(sourceOf(devices[1], 'driverVersion')).toBe('unknown: no kernel driver is bound to the device');
    expect(sourceOf(devices[1], 'health')).toBe(
      'unknown: no kernel driver is bound to the device; xpu-smi is not on this host',
    );
  });
});
