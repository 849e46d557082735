import { describe, expect, it } from '@jest/globals';
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

describe('offeredDevices', () => {
  it('offers all without a list, and none for an empty one', () => {
    expect(offered(nvidia(0, 1), {})).toHaveLength(2);
    for (const none of ['', '-1', 'NoDevFiles', 'none', '10000'])
      expect(offered(nvidia(0, 1), { CUDA_VISIBLE_DEVICES: none })).toEqual([]);
  });

  it('counts by the numbers of the tool, also if a device between them is lost', () => {
    expect(offered(nvidia(0, 2, 3), { CUDA_VISIBLE_DEVICES: '2' })).toEqual([gpu(2)]);
    expect(offered(nvidia(0, 2, 3), { CUDA_VISIBLE_DEVICES: '1,3' })).toEqual([gpu(3)]);
  });

  it('keeps devices if another one is lost, by any name', () => {
    const left = nvidia(1);
    for (const words of [`${gpu(0)},${gpu(1)}`, `GPU-00000000,GPU-11111111`, '0,1'])
      expect(offered(left, { CUDA_VISIBLE_DEVICES: words })).toEqual([gpu(1)]);
  });

  it('stops at an entry that can name no device, as CUDA does', () => {
    expect(offered(nvidia(0, 1), { CUDA_VISIBLE_DEVICES: '1,7,0' })).toEqual([gpu(1)]);
    expect(offered(nvidia(0, 1), { CUDA_VISIBLE_DEVICES: '1,-1,0' })).toEqual([gpu(1)]);
  });

  it.each<[string, readonly string[]]>([
    ['CUDA1', [gpu(1)]],
    ['CUDA0, CUDA1', [gpu(0), gpu(1)]],
    ['GPU-11111111', [gpu(1)]],
    ['10000', []],
  ])('takes what HTCondor assigned, without other lists: %s', (words, expected) => {
    expect(offered(nvidia(0, 1), { _CONDOR_AssignedGPUs: words })).toEqual(expected);
    expect(offered(nvidia(0, 1), { _CONDOR_AssignedGPUs: words, CUDA_VISIBLE_DEVICES: '0' })).toEqual([
      gpu(0),
    ]);
  });

  it('ignores Slurm’s numbers, which are those of the host', () => {
    expect(offered(nvidia(0), { SLURM_JOB_GPUS: '3', CUDA_VISIBLE_DEVICES: '0' })).toEqual([gpu(0)]);
    expect(offered(nvidia(0), { SLURM_JOB_GPUS: '3' })).toEqual([gpu(0)]);
  });

  it('applies the lists of ROCm, HIP and OpenCL one after the other', () => {
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

describe('offeredDevices with Intel cards', () => {
  it('offers a card by its number, or a tile with its share of the memory', () => {
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

  it('counts tiles if these are devices of their own', () => {
    expect(offered(cards(2, 2), { ZE_AFFINITY_MASK: '2,3' })).toEqual(['card1']);
    expect(offered(cards(2, 2), { ZE_AFFINITY_MASK: '1', ZE_FLAT_DEVICE_HIERARCHY: 'FLAT' })).toEqual([
      'card0/1',
    ]);
    expect(offered(cards(1, 1), { ZE_AFFINITY_MASK: '1' })).toEqual(['card1']);
  });

  it('leaves the memory unknown if the number of tiles is unknown', () => {
    const [part] = offeredDevices(cards(undefined), visibilityIn({ ZE_AFFINITY_MASK: '0.1' }));
    expect(part).toMatchObject({ id: 'card0/1', visibleAs: '0.1' });
    expect(part?.memoryMiB).toBeUndefined();
  });

  it('offers none if no card has the number', () => {
    for (const none of ['', '7', '0.5', 'x'])
      expect(offered(cards(2), { ZE_AFFINITY_MASK: none, ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE' })).toEqual(
        [],
      );
  });

  it('counts by address with devices that are left out, if it is configured', () => {
    const second = [device('INTEL', 'card', { names: ['1'], visibleAs: '1' })];
    expect(offered(second, { ZE_AFFINITY_MASK: '1', ZE_ENABLE_PCI_ID_DEVICE_ORDER: '1' })).toEqual(['card']);
    expect(offered(second, { ZE_AFFINITY_MASK: '1' })).toEqual([]);
    expect(offered(second, { ZE_AFFINITY_MASK: '0' })).toEqual(['card']);
  });
});
