import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FleetDevice, parseFleetFile } from './fleet-file.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-file-'));
  path = join(folder, 'fleet.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function parse(content: unknown): Promise<readonly FleetDevice[]> {
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return parseFleetFile(path);
}

const refusal = async (content: unknown): Promise<string> => {
  const error: unknown = await parse(content).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
  const { message } = error as Error;
  const head = `Simulated fleet ${path} is invalid:`;
  expect(message.startsWith(head)).toBe(true);
  return message.slice(head.length).trim();
};

const t4 = { vendor: 'NVIDIA', model: 'Tesla T4' };
const slice = (id: string, parentId: string): object => ({ ...t4, id, migProfile: '1g.5gb', parentId });

describe('parseFleetFile', () => {
  it('reads devices, and numbers those with a count', async () => {
    expect(
      await parse({
        devices: [
          { ...t4, id: 'GPU-a', count: 2 },
          { ...t4, pciId: '10DE:1EB8', pciAddress: '00000000:3B:00.0' },
          slice('MIG-0', 'GPU-that-is-not-there'),
        ],
      }),
    ).toEqual([
      { id: 'GPU-a-0', vendor: 'NVIDIA', facts: { model: 'Tesla T4', health: 'HEALTHY' } },
      { id: 'GPU-a-1', vendor: 'NVIDIA', facts: { model: 'Tesla T4', health: 'HEALTHY' } },
      expect.objectContaining({
        id: 'SIMULATED-1',
        facts: expect.objectContaining({ pciId: '10de:1eb8', pciAddress: '0000:3b:00.0' }) as unknown,
      }),
      expect.objectContaining({ id: 'MIG-0' }),
    ]);
    expect(await parse({ devices: [] })).toEqual([]);
  });

  it('names a file that does not exist', async () => {
    await expect(parseFleetFile(join(folder, 'none.json'))).rejects.toThrow(/none\.json is invalid: ENOENT/);
  });

  it.each([
    ['no JSON', '{"devices": [', /JSON/],
    ['a list alone', [], /^the whole: \[\] is not valid; must be an object with "devices"$/],
    ['no devices', {}, /^devices: nothing is not valid; must be a list of devices$/],
    ['something in addition', { devices: [], gpus: 1 }, /^gpus: there is no such field; expected devices$/],
  ])('refuses a file with %s', async (_what, content, says) => {
    expect(await refusal(content)).toMatch(says);
  });
});

describe('parseFleetFile with an invalid fact', () => {
  it.each<[string, unknown, string]>([
    ['memoryMB', 16, 'there is no such field; expected vendor, model, id, count, memoryMiB,'],
    ['memoryMiB', '15 GiB', '"15 GiB" is not valid; must be a whole number from 1 to 16777216'],
    ['memoryMiB', -1, '-1 is not valid; must be a whole number from 1 to 16777216'],
    ['memoryMiB', 1e9, '1000000000 is not valid; must be a whole number from 1 to 16777216'],
    ['memoryMiB', 1.5, '1.5 is not valid; must be a whole number from 1 to 16777216'],
    ['memoryUsedMiB', -4, '-4 is not valid; must be a whole number from 0 to 16777216'],
    ['utilisation', 57, '57 is not valid; must be a number from 0 to 1'],
    ['vendor', 'Nvidia', '"Nvidia" is not valid; must be "NVIDIA", "AMD" or "INTEL"'],
    ['vendor', undefined, 'nothing is not valid; must be "NVIDIA", "AMD" or "INTEL"'],
    ['model', 'Tesla ', '"Tesla " is not valid; must be 1 to 128 characters'],
    ['id', '', '"" is not valid; must be 1 to 100 characters'],
    ['count', 65, '65 is not valid; must be a whole number from 1 to 64'],
    ['driverVersion', 550.54, '550.54 is not valid; must be a version such as "550.54.15", left out when'],
    ['driverVersion', 'N/A', '"N/A" is not valid; must be a version such as "550.54.15", left out when'],
    ['cudaVersion', 'v12.4', '"v12.4" is not valid; must be a version such as "12.4", left out when unknown'],
    ['computeCapability', 'sm_75', '"sm_75" is not valid; must be a version such as "9.0"'],
    ['rocmVersion', '', '"" is not valid; must be a version such as "6.2"'],
    ['gfxTarget', 'gfx90a:xnack-', '"gfx90a:xnack-" is not valid; must be an LLVM target such as "gfx90a"'],
    ['pciId', '1eb8', '"1eb8" is not valid; must be vendor and device as "10de:20b2"'],
    ['pciAddress', '7', '"7" is not valid; must be a place on the bus such as "0000:07:00.0"'],
    ['health', 'BAD', '"BAD" is not valid; must be "HEALTHY", "UNHEALTHY" or "UNKNOWN"'],
    ['eccEnabled', 'on', '"on" is not valid; must be true or false'],
    ['parentId', 'GPU-a', '"GPU-a" is not valid; must be the device that it is a part of, not itself'],
  ])('refuses %s %j with its path, its value, and what is valid', async (field, value, says) => {
    const message = await refusal({ devices: [t4, { ...t4, id: 'GPU-a', [field]: value }] });
    expect(message.startsWith(`devices.1.${field}: ${says}`)).toBe(true);
    expect(message).not.toContain('\n');
  });

  it('lists all errors at once', async () => {
    const message = await refusal({ devices: [{ ...t4, count: 0, memoryMiB: 0 }, { model: 'x' }] });
    expect(message.split('\n').map((line) => line.trim().split(':')[0])).toEqual([
      '- devices.0.count',
      '- devices.0.memoryMiB',
      '- devices.1.vendor',
    ]);
  });
});

describe('parseFleetFile with several devices', () => {
  it.each([
    [
      'written twice',
      [
        { ...t4, id: 'a' },
        { ...t4, id: 'a' },
      ],
      'devices.1.id: "a"',
    ],
    [
      'made by a number',
      [
        { ...t4, id: 'a', count: 2 },
        { ...t4, id: 'a-1' },
      ],
      'devices.1.id: "a-1"',
    ],
    ['of one without a name', [t4, { ...t4, id: 'SIMULATED-0' }], 'devices.1.id: "SIMULATED-0"'],
  ])('refuses an id that is %s', async (_what, devices, place) => {
    expect(await refusal({ devices })).toBe(`${place} is not valid; must be each device once`);
  });

  it('accepts as many devices as the API, including those of a count', async () => {
    const devices = (count: number): object => ({
      devices: Array.from({ length: 8 }, (_, index) => ({ ...t4, count: index === 0 ? count : 32 })),
    });
    expect(await parse(devices(32))).toHaveLength(256);
    expect(await refusal(devices(33))).toBe(
      'devices: "257 devices" is not valid; must be at most 256 devices',
    );
  });

  it('refuses slices of slices and circles', async () => {
    expect(
      await parse({ devices: [slice('MIG-0', 'GPU-a-1'), { ...t4, id: 'GPU-a', count: 2 }] }),
    ).toHaveLength(3);
    expect(await refusal({ devices: [slice('MIG-0', 'GPU-a'), { ...t4, id: 'GPU-a', count: 2 }] })).toBe(
      'devices.0.parentId: "GPU-a" is not valid; must be one of the 2 devices that it stands for, "GPU-a-0" to "GPU-a-1"',
    );
    const circle = await refusal({ devices: [slice('a', 'b'), slice('b', 'a')] });
    expect(circle.split('\n')).toHaveLength(2);
    expect(circle).toContain(
      'devices.0.parentId: "b" is not valid; must be a whole device; that one is a part itself',
    );
  });
});
