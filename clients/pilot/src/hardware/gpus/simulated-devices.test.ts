import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFleetFile } from './simulated-devices.js';
import { visibleDevices } from './visibility-variables.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fleet(content: unknown): ReturnType<typeof readFleetFile> {
  const path = join(folder, 'fleet.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readFleetFile(path);
}

describe('readFleetFile', () => {
  it('presents devices with facts from the file', async () => {
    const devices = await fleet({
      devices: [
        { vendor: 'NVIDIA', model: 'Tesla T4', count: 2, id: 'GPU-t4', memoryMiB: 15360, utilisation: 0.5 },
        { vendor: 'AMD', model: 'MI210', gfxTarget: 'gfx90a', health: 'UNHEALTHY' },
      ],
    });
    expect(devices).toMatchObject([
      { id: 'GPU-t4-0', visibleAs: 'GPU-t4-0', model: 'Tesla T4', memoryMiB: 15360, health: 'HEALTHY' },
      { id: 'GPU-t4-1', utilisation: 0.5 },
      { id: 'SIMULATED-1', vendor: 'AMD', health: 'UNHEALTHY' },
    ]);
    expect(devices[2]?.sources).toContainEqual({ fact: 'gfxTarget', source: 'simulated by fleet.json' });
  });

  it('refuses an invalid file', async () => {
    await expect(fleet('devices:')).rejects.toThrow(/fleet\.json is invalid/);
  });
});

describe('visibleDevices', () => {
  it("names the job's devices in the variable of each vendor, and hides the others", async () => {
    const devices = await fleet({
      devices: [
        { vendor: 'NVIDIA', model: 'A100', id: 'MIG-1' },
        { vendor: 'NVIDIA', model: 'A100', id: 'MIG-2' },
        { vendor: 'INTEL', model: 'Max 1100', id: '3' },
      ],
    });
    expect(visibleDevices(devices)).toEqual({
      CUDA_VISIBLE_DEVICES: 'MIG-1,MIG-2',
      ROCR_VISIBLE_DEVICES: '',
      ZE_AFFINITY_MASK: '3',
      ZE_ENABLE_PCI_ID_DEVICE_ORDER: '1',
      ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE',
    });
    expect(visibleDevices([])).toEqual({
      CUDA_VISIBLE_DEVICES: '',
      ROCR_VISIBLE_DEVICES: '',
      // Level Zero shows every card for an empty mask, and none for a number that no card has.
      ZE_AFFINITY_MASK: '10000',
    });
  });
});
