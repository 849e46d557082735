import { describe, expect, it } from '@jest/globals';
import { GpuHost, sourceOf } from '../../../testing/gpu-host.js';
import * as amd from '../../../testing/gpu-samples/amd.js';

const host = new GpuHost();

describe('findDevices on a host with AMD devices', () => {
  it('reads amd-smi; memory errors make a device unhealthy', async () => {
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

  it('offers each partition as a device that a payload sees by its number', async () => {
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

  it('asks for the partition if the static facts leave it out', async () => {
    await host.tool('amd-smi', [
      { to: 'static', says: amd.withoutPartition },
      { to: 'partition', says: amd.partitions },
    ]);
    const devices = await host.find();
    expect(devices).toMatchObject([
      { id: 'GPU-6f1f0a2b3c4d5e6f/0', partitionMode: 'DPX/NPS1' },
      // For a divided device, the tool shows the mode of the first part only.
      { id: 'GPU-6f1f0a2b3c4d5e6f/1', pciAddress: '0000:05:00.1', partitionMode: 'DPX/NPS1' },
    ]);
  });

  it('reads rocm-smi without amd-smi; unknown names stay unknown', async () => {
    await host.onBus('0000:c7:00.0', '1002', '73df', { kind: '0x030000', driver: 'amdgpu' });
    await host.tool('rocm-smi', [{ to: '--showid', says: amd.rocmSmi }]);
    const devices = await host.find();
    expect(devices).toMatchObject([
      { id: 'GPU-04edfb117a17a07d', model: 'Instinct MI100', gfxTarget: 'gfx908', health: 'HEALTHY' },
      { id: 'PCI-0000:c7:00.0', model: 'unknown AMD device 1002:73df', visibleAs: '1' },
    ]);
    expect(sourceOf(devices[1], 'gfxTarget')).toBe('unknown: rocm-smi does not report it');
  });

  it('reads memory and usage from the kernel without any tool', async () => {
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
