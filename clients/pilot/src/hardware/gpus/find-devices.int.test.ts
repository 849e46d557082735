import { describe, expect, it } from '@jest/globals';
import { GpuHost } from '../../testing/gpu-host.js';
import { rocmSmi } from '../../testing/gpu-samples/amd.js';

const host = new GpuHost();

describe('findDevices on any host', () => {
  it('finds no device without a GPU, whatever else is on the bus', async () => {
    await host.onBus('0000:00:02.0', '8086', '4680', { kind: '0x030000', driver: 'i915' });
    await host.onBus('0000:02:00.0', '10de', '10f9', { kind: '0x040300' });
    await host.onBus('0000:03:00.0', '1a03', '2000', { kind: '0x030000' });
    await host.onBus('0000:04:00.0', '10de', '20b2', { driver: 'vfio-pci' });
    await host.onBus('0000:05:00.0', '1002', '74b5', { kind: '0x120000', isVirtual: true });
    expect(await host.find()).toEqual([]);
    expect(await host.find({ pciRoot: host.path('nowhere') })).toEqual([]);
  });

  it('finds the devices of several vendors', async () => {
    await host.nvidiaSmi();
    await host.tool('rocm-smi', [{ to: '--showid', says: rocmSmi }]);
    await host.onBus('0000:9a:00.0', '8086', '0bd5', { kind: '0x038000' });
    const devices = await host.find();
    const count = (vendor: string): number => devices.filter((device) => device.vendor === vendor).length;
    expect([count('NVIDIA'), count('AMD'), count('INTEL')]).toEqual([4, 2, 1]);
  });
});

describe('scanPci', () => {
  it('ignores accelerators of Intel, and display controllers of boards', async () => {
    await host.onBus('0000:3b:00.0', '8086', '0b2b', { kind: '0x120000', driver: 'dfl-pci' });
    await host.onBus('0000:01:03.0', '1002', '515e', { kind: '0x030000', driver: 'radeon' });
    await host.onBus('0000:02:00.0', '102b', '0522', { kind: '0x030000', driver: 'mgag200' });
    await host.onBus('0000:04:00.0', '10de', '22a3', { kind: '0x068000', driver: 'nvidia-nvswitch' });
    await host.onBus('0000:05:00.0', '10de', '2342', { driver: 'nvgrace_gpu_vfio_pci' });
    expect(await host.find()).toEqual([]);
  });

  it('ignores parts of an AMD processor, and finds a card with further functions', async () => {
    const amdgpu = { kind: '0x030000', driver: 'amdgpu', files: { 'drm/renderD128/dev': '' } };
    await host.onBus('0000:0e:00.0', '1002', '164e', amdgpu);
    await host.onBus('0000:0e:00.1', '1002', '1640', { kind: '0x040300' });
    await host.onBus('0000:0e:00.2', '1022', '1649', { kind: '0x108000', driver: 'ccp' });
    await host.onBus('0000:03:00.0', '1002', '744c', amdgpu);
    await host.onBus('0000:03:00.1', '1002', 'ab30', { kind: '0x040300' });
    await host.onBus('0000:03:00.2', '1002', '7446', { kind: '0x0c0330' });
    expect((await host.find()).map(({ pciId }) => pciId)).toEqual(['1002:744c']);
  });

  it('finds a card of Intel on the first bus of a virtual machine', async () => {
    const card = { kind: '0x038000', driver: 'i915', files: { 'drm/card1/lmem_total_bytes': '15032385536' } };
    await host.onBus('0000:00:02.0', '8086', '4680', { kind: '0x030000', driver: 'i915' });
    await host.onBus('0000:00:06.0', '8086', '56c0', card);
    expect(await host.find()).toMatchObject([{ id: 'PCI-0000:00:06.0', memoryMiB: 14336 }]);
  });
});
