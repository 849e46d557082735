import { describe, expect, it } from '@jest/globals';
import { GpuHost, sourceOf } from '../../../testing/gpu-host.js';
import * as intel from '../../../testing/gpu-samples/intel.js';

const host = new GpuHost();

describe('findDevices on a host with Intel devices', () => {
  it('reads xpu-smi, without integrated devices and virtual functions', async () => {
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

  it('takes the driver’s health if xpu-smi may not read it, and knows none without it', async () => {
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
    expect(sourceOf(known, 'health')).toBe('sysfs: i915 has initialised it');
    expect(other?.health).toBe('UNKNOWN');
    expect(sourceOf(other, 'health')).toBe('unknown: xpu-smi health does not report it');
  });

  it('reads local memory of i915 and xe from the kernel without any tool', async () => {
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
