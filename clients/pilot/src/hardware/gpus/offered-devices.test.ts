import { describe, expect, test } from '@jest/globals';
import { Evidence, type DetectedDevice, type Vendor } from './detected-device.js';
import { offeredDevices, visibilityIn } from './offered-devices.js';

interface Named {
  readonly names?: readonly string[];
  readonly tiles?: number;
  readonly memoryMiB?: number;
  readonly visibleAs?: string;
}

const device = (vendor: Vendor, id: string, { memoryMiB, visibleAs = id, ...more }: Named): DetectedDevice =>
  new Evidence(vendor).add('test', { memoryMiB, utilisation: 0.5 }).device(id, visibleAs, more);
const gpu = (digit: number): string => `GPU-${String(digit).repeat(8)}-0000-0000-0000-000000000000`;
/** NVIDIA GPUs of these numbers. */
const nvidia = (...numbers: readonly number[]): readonly DetectedDevice[] =>
  numbers.map((number) => device('NVIDIA', gpu(number), { names: [String(number)] }));
/** Intel cards with this number of tiles each. */
const cards = (...tiles: readonly (number | undefined)[]): readonly DetectedDevice[] =>
  tiles.map((count, at) =>
    device('INTEL', `card${at}`, {
      names: [String(at)],
      memoryMiB: 131_072,
      visibleAs: String(at),
      ...(count === undefined ? {} : { tiles: count }),
    }),
  );
const offered = (devices: readonly DetectedDevice[], env: Record<string, string>): string[] =>
  offeredDevices(devices, visibilityIn(env)).map(({ id }) => id);

describe('what a batch system gave to a pilot', () => {
  test('is all where it says nothing, and nothing where it says that', () => {
    expect(offered(nvidia(0, 1), {})).toHaveLength(2);
    for (const none of ['', '-1', 'NoDevFiles', 'none', '10000'])
      expect(offered(nvidia(0, 1), { CUDA_VISIBLE_DEVICES: none })).toEqual([]);
  });

  test('is told by the numbers of the tool, also where a device between them is lost', () => {
    expect(offered(nvidia(0, 2, 3), { CUDA_VISIBLE_DEVICES: '2' })).toEqual([gpu(2)]);
    expect(offered(nvidia(0, 2, 3), { CUDA_VISIBLE_DEVICES: '1,3' })).toEqual([gpu(3)]);
  });

  test('is still there when another of its devices is lost, by whatever name', () => {
    const left = nvidia(1);
    for (const words of [`${gpu(0)},${gpu(1)}`, `GPU-00000000,GPU-11111111`, '0,1'])
      expect(offered(left, { CUDA_VISIBLE_DEVICES: words })).toEqual([gpu(1)]);
  });

  test('ends where a word can name no device, as it does for CUDA', () => {
    expect(offered(nvidia(0, 1), { CUDA_VISIBLE_DEVICES: '1,7,0' })).toEqual([gpu(1)]);
    expect(offered(nvidia(0, 1), { CUDA_VISIBLE_DEVICES: '1,-1,0' })).toEqual([gpu(1)]);
  });

  test.each<[string, readonly string[]]>([
    ['CUDA1', [gpu(1)]],
    ['CUDA0, CUDA1', [gpu(0), gpu(1)]],
    ['GPU-11111111', [gpu(1)]],
    ['10000', []],
  ])('is what HTCondor assigned, where nothing else is said: %s', (words, expected) => {
    expect(offered(nvidia(0, 1), { _CONDOR_AssignedGPUs: words })).toEqual(expected);
    expect(offered(nvidia(0, 1), { _CONDOR_AssignedGPUs: words, CUDA_VISIBLE_DEVICES: '0' })).toEqual([
      gpu(0),
    ]);
  });

  test('is not what Slurm calls a device on its host: the job has numbers of its own', () => {
    expect(offered(nvidia(0), { SLURM_JOB_GPUS: '3', CUDA_VISIBLE_DEVICES: '0' })).toEqual([gpu(0)]);
    expect(offered(nvidia(0), { SLURM_JOB_GPUS: '3' })).toEqual([gpu(0)]);
  });

  test('by the words of ROCm, HIP and OpenCL, each of which counts what the one before leaves', () => {
    const amd = ['a', 'b', 'c'].map((id, at) => device('AMD', `GPU-${id}`, { names: [String(at)] }));
    expect(offered(amd, { ROCR_VISIBLE_DEVICES: '2,1' })).toEqual(['GPU-b', 'GPU-c']);
    expect(offered(amd, { HIP_VISIBLE_DEVICES: '2' })).toEqual(['GPU-c']);
    expect(offered(amd, { ROCR_VISIBLE_DEVICES: '2,1', HIP_VISIBLE_DEVICES: '0' })).toEqual(['GPU-c']);
    expect(offered(amd, { ROCR_VISIBLE_DEVICES: 'GPU-b', GPU_DEVICE_ORDINAL: '1' })).toEqual(['GPU-b']);
    expect(offered(amd, { GPU_DEVICE_ORDINAL: '1' })).toEqual(['GPU-b']);
    expect(offered(amd, { GPU_DEVICE_ORDINAL: '10000', CUDA_VISIBLE_DEVICES: '10000' })).toEqual([]);
    expect(offered(amd, { _CONDOR_AssignedGPUs: 'HIP0' })).toEqual(['GPU-a']);
  });
});

describe('what a batch system gave of Intel’s cards', () => {
  test('is a card by its number, or a tile of it, with its part of the memory', () => {
    const part = offeredDevices(cards(2, 2), visibilityIn({ ZE_AFFINITY_MASK: '1.1' }));
    expect(part).toMatchObject([{ id: 'card1/1', visibleAs: '1.1', memoryMiB: 65_536 }]);
    expect(part[0]?.utilisation).toBeUndefined();
    expect(part[0]?.sources).toContainEqual({
      fact: 'utilisation',
      source: 'unknown: the pilot was given a part of the card',
    });
    const composite = { ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE' };
    expect(offered(cards(2, 2), { ZE_AFFINITY_MASK: '1', ...composite })).toEqual(['card1']);
    expect(offered(cards(2, 2), { ZE_AFFINITY_MASK: '0.0,1.1,0.1', ...composite })).toEqual([
      'card0',
      'card1/1',
    ]);
  });

  test('is told by the numbers of tiles where these are devices of their own', () => {
    expect(offered(cards(2, 2), { ZE_AFFINITY_MASK: '2,3' })).toEqual(['card1']);
    expect(offered(cards(2, 2), { ZE_AFFINITY_MASK: '1', ZE_FLAT_DEVICE_HIERARCHY: 'FLAT' })).toEqual([
      'card0/1',
    ]);
    expect(offered(cards(1, 1), { ZE_AFFINITY_MASK: '1' })).toEqual(['card1']);
  });

  test('has memory that nobody knows where nobody knows how many tiles there are', () => {
    const [part] = offeredDevices(cards(undefined), visibilityIn({ ZE_AFFINITY_MASK: '0.1' }));
    expect(part).toMatchObject({ id: 'card0/1', visibleAs: '0.1' });
    expect(part?.memoryMiB).toBeUndefined();
  });

  test('is nothing where no card has the number', () => {
    for (const none of ['', '7', '0.5', 'x'])
      expect(offered(cards(2), { ZE_AFFINITY_MASK: none, ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE' })).toEqual(
        [],
      );
  });

  test('counts by address with those that are left out here, where it is told to', () => {
    const second = [device('INTEL', 'card', { names: ['1'], visibleAs: '1' })];
    expect(offered(second, { ZE_AFFINITY_MASK: '1', ZE_ENABLE_PCI_ID_DEVICE_ORDER: '1' })).toEqual(['card']);
    expect(offered(second, { ZE_AFFINITY_MASK: '1' })).toEqual([]);
    expect(offered(second, { ZE_AFFINITY_MASK: '0' })).toEqual(['card']);
  });
});
