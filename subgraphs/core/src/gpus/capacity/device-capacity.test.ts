import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { matchDevices } from '../verdict/device-match.js';
import { chooseDevices } from './device-choice.js';
import { type Booked, deviceCapacity, deviceCapacityKey, withoutDevices } from './device-capacity.js';
import { arrangeDevices } from './device-set.js';
import { deviceVerdict } from '../verdict/device-verdict.js';
import { gpusOf, wholeGpus } from './gpu-equivalents.js';
import { gpu } from '../../../test/support/gpus/verdict.fixture.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';
import type { DeviceDocument } from '../device.types.js';

const a100 = 'NVIDIA A100-SXM4-80GB';
const device = (id: string, change: Partial<DeviceDocument> = {}): DeviceDocument => ({
  id,
  vendor: 'NVIDIA',
  model: a100,
  health: 'HEALTHY',
  ...change,
});
const slice = (id: string, parentId: string, migProfile: string, memoryMiB = 9728): DeviceDocument =>
  device(id, { parentId, migProfile, memoryMiB });
const booked = (change: Partial<Booked>): Booked => ({
  thousandths: 0,
  memoryMiB: 0,
  unnamedThousandths: 0,
  isExclusive: false,
  ...change,
});

const bookings = (taken: Readonly<Record<string, Partial<Booked>>>): ReadonlyMap<string, Booked> =>
  new Map(Object.entries(taken).map(([id, change]) => [id, booked(change)]));

/** Ids of the chosen devices. */
function choice(
  asked: Partial<StoredGpuRequirement>,
  devices: readonly DeviceDocument[],
  taken: Readonly<Record<string, Partial<Booked>>> = {},
): readonly string[] | undefined {
  const arranged = arrangeDevices(devices, true);
  const match = matchDevices(gpu(asked), arranged.set);
  const isOffered = (id: string): boolean => taken[id] === undefined;
  const capacity = deviceCapacity(arranged, isOffered, bookings(taken));
  return match && chooseDevices(gpu(asked), match, capacity)?.map((position) => arranged.ids[position] ?? '');
}

const all: Partial<Booked> = { thousandths: 1000, unnamedThousandths: 1000 };

describe('chooseDevices', () => {
  it('chooses the smallest devices that are sufficient', () => {
    const devices = [
      device('large', { memoryMiB: 81_251 }),
      device('small', { model: 'NVIDIA A30', memoryMiB: 24_576 }),
      device('middle', { model: 'NVIDIA A100-SXM4-40GB', memoryMiB: 40_536 }),
    ];
    expect(choice({}, devices)).toEqual(['small']);
    expect(choice({ minMemoryMiB: 40_960 }, devices)).toEqual(['middle']);
    expect(choice({ minMemoryMiB: 40_960 }, devices, { middle: all })).toEqual(['large']);
    expect(choice({ count: 3 }, devices)?.length).toBe(3);
    expect(choice({ count: 3 }, devices, { large: all })).toBeUndefined();
  });

  it('prefers devices with native support to devices with limited support', () => {
    const devices = [
      device('old', { model: 'NVIDIA A30', memoryMiB: 24_576, driverVersion: '535.104.05' }),
      device('new', { memoryMiB: 81_251, driverVersion: '580.95.05' }),
    ];
    expect(choice({ cudaRuntime: '12.9' }, devices)).toEqual(['new']);
    expect(choice({ cudaRuntime: '12.9' }, devices, { new: all })).toEqual(['old']);
  });

  const divided = [
    device('gpu-0'),
    slice('a1', 'gpu-0', '1g.10gb'),
    slice('a2', 'gpu-0', '1g.10gb'),
    slice('a3', 'gpu-0', '3g.40gb', 40_192),
    device('gpu-1'),
    slice('b1', 'gpu-1', '1g.10gb'),
    slice('b2', 'gpu-1', '1g.10gb'),
    slice('b3', 'gpu-1', '3g.40gb', 40_192),
    device('gpu-2'),
  ];

  it('takes slices of a device that is already in use, so that others stay whole', () => {
    expect(choice({ migProfile: '1g.10gb' }, divided, { b3: all })).toEqual(['b1']);
    expect(choice({ migProfile: '1g.10gb' }, divided, { a1: all, a3: all })).toEqual(['a2']);
    expect(choice({ migProfile: '1g.10gb', count: 4 }, divided)?.length).toBe(4);
    expect(choice({ migProfile: '1g.10gb', count: 5 }, divided)).toBeUndefined();
  });

  it('takes the smallest slice that is large enough', () => {
    expect(choice({ migFraction: 100 }, divided)?.[0]).toMatch(/^[ab][12]$/);
    expect(choice({ migFraction: 143 }, divided)?.[0]).toMatch(/^[ab][12]$/);
    expect(choice({ migFraction: 200 }, divided)?.[0]).toMatch(/^[ab]3$/);
    expect(choice({ migFraction: 500 }, divided)).toBeUndefined();
  });

  it('takes whole devices where whole ones are requested', () => {
    expect(choice({}, divided)).toEqual(['gpu-2']);
    expect(choice({ count: 2 }, divided)).toBeUndefined();
  });

  it('leaves a physical GPU to a job that needs it exclusively', () => {
    const exclusive = { migProfile: '1g.10gb', exclusive: true as const };
    expect(choice(exclusive, divided, { a1: all, b3: all })).toBeUndefined();
    expect(choice(exclusive, divided, { a1: all })?.[0]).toMatch(/^b/);
    expect(
      choice({ ...exclusive, count: 2 }, divided)
        ?.map((id) => id.charAt(0))
        .sort(),
    ).toEqual(['a', 'b']);
    expect(choice({ ...exclusive, count: 3 }, divided)).toBeUndefined();
    const closed = { a1: { ...all, isExclusive: true } };
    expect(choice({ migProfile: '1g.10gb' }, divided, closed)?.[0]).toMatch(/^b/);
  });

  describe('a GPU with an unusable slice', () => {
    const exclusive = { migProfile: '1g.10gb', exclusive: true as const };
    const sick = (change: Partial<DeviceDocument>): readonly DeviceDocument[] => [
      slice('a1', 'gpu-0', '1g.10gb'),
      slice('a2', 'gpu-0', '1g.10gb'),
      { ...slice('a3', 'gpu-0', '3g.40gb'), ...change },
    ];
    /** Chooses among the healthy free devices, as offered by a pilot. */
    const choose = (
      devices: readonly DeviceDocument[],
      taken: Readonly<Record<string, Partial<Booked>>> = {},
    ) => {
      const arranged = arrangeDevices(devices, true);
      const match = matchDevices(gpu(exclusive), arranged.set);
      const isOffered = (id: string): boolean =>
        taken[id] === undefined && devices.some((one) => one.id === id && one.health === 'HEALTHY');
      const capacity = deviceCapacity(arranged, isOffered, bookings(taken));
      return {
        capacity,
        chosen: match && chooseDevices(gpu(exclusive), match, capacity)?.map((at) => arranged.ids[at]),
      };
    };

    it.each(['UNHEALTHY', 'UNKNOWN'] as const)(
      'gives a job exclusive use of an idle GPU whose slice is %s',
      (health) => {
        expect(choose(sick({ health })).chosen).toEqual(['a1']);
        expect(choose(sick({ health }), { a2: all }).chosen).toBeUndefined();
      },
    );

    it('gives no job exclusive use while a job holds the unhealthy slice, or while a healthy slice is not offered', () => {
      expect(choose(sick({ health: 'UNHEALTHY' }), { a3: all }).chosen).toBeUndefined();
      const arranged = arrangeDevices(sick({}), true);
      const match = matchDevices(gpu(exclusive), arranged.set);
      const capacity = deviceCapacity(arranged, (id) => id !== 'a3');
      expect(match && chooseDevices(gpu(exclusive), match, capacity)).toBeUndefined();
    });

    it('does not count the unhealthy slice as free, and has a different capacity key while a job holds it', () => {
      const [idle, held] = [
        choose(sick({ health: 'UNHEALTHY' })),
        choose(sick({ health: 'UNHEALTHY' }), { a3: all }),
      ];
      expect(idle.capacity.free.filter((free) => free > 0)).toHaveLength(2);
      expect(deviceCapacityKey(idle.capacity)).not.toBe(deviceCapacityKey(held.capacity));
      const after = withoutDevices(gpu(exclusive), idle.capacity, [idle.capacity.free.indexOf(1000)]);
      expect(after.free.every((free) => free <= 0)).toBe(true);
    });
  });

  it('takes shares of the fullest device with enough thousandths and memory left', () => {
    const devices = [device('a', { memoryMiB: 80_000 }), device('b', { memoryMiB: 80_000 })];
    const half = { thousandths: 500, unnamedThousandths: 500 };
    expect(choice({ share: 300 }, devices, { b: half })).toEqual(['b']);
    expect(choice({ share: 600 }, devices, { b: half })).toEqual(['a']);
    expect(choice({ share: 300, shareMemoryMiB: 50_000 }, devices, { b: half })).toEqual(['a']);
    expect(choice({ share: 300, shareMemoryMiB: 40_000 }, devices, { b: half })).toEqual(['b']);
    expect(
      choice({ share: 300 }, devices, { a: all, b: { thousandths: 300, memoryMiB: 70_000 } }),
    ).toBeUndefined();
    expect(choice({}, devices, { a: half, b: half })).toBeUndefined();
  });

  it('connects devices by the smallest group that is large enough', () => {
    const connected = (id: string, nvlinkGroup?: string): DeviceDocument =>
      device(id, nvlinkGroup === undefined ? {} : { nvlinkGroup });
    const devices = [
      ...['a', 'b', 'c', 'd'].map((id) => connected(id, 'one')),
      connected('e', 'two'),
      connected('f', 'two'),
      connected('g'),
    ];
    expect([...(choice({ count: 2, nvlink: true }, devices) ?? [])].sort()).toEqual(['e', 'f']);
    expect(
      [...(choice({ count: 2, nvlink: true }, devices, { e: all }) ?? [])].every((id) => 'abcd'.includes(id)),
    ).toBe(true);
    expect(choice({ count: 4, nvlink: true }, devices)?.length).toBe(4);
    expect(choice({ count: 5, nvlink: true }, devices)).toBeUndefined();
    expect(choice({ count: 4, nvlink: true }, devices, { a: all })).toBeUndefined();
  });

  it('returns the requested number of distinct, free and suitable devices for any capacity', () => {
    const any = fc.record({
      health: fc.constantFrom('HEALTHY' as const, 'UNKNOWN' as const),
      memoryMiB: fc.integer({ min: 1, max: 4 }),
      isTaken: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        (found, count, minMemoryMiB) => {
          const devices = found.map(({ health, memoryMiB }, at) => device(`d${at}`, { health, memoryMiB }));
          const taken = Object.fromEntries(
            found.flatMap(({ isTaken }, at) => (isTaken ? [[`d${at}`, all]] : [])),
          );
          const chosen = choice({ count, minMemoryMiB }, devices, taken);
          const able = devices
            .filter(
              (one) => taken[one.id] === undefined && deviceVerdict(gpu({ minMemoryMiB }), one).kind !== 'NO',
            )
            .map(({ id }) => id);
          if (able.length < count) return chosen === undefined;
          return new Set(chosen).size === count && (chosen ?? []).every((id) => able.includes(id));
        },
      ),
    );
  });

  it('removes the chosen devices from the remaining capacity', () => {
    const arranged = arrangeDevices([device('a', { memoryMiB: 1000 })], true);
    const capacity = deviceCapacity(arranged, () => true);
    const left = withoutDevices(gpu({ share: 250 }), capacity, [0]);
    expect([left.free, left.memoryMiB]).toEqual([[750], [750]]);
    expect([capacity.free, capacity.memoryMiB]).toEqual([[1000], [1000]]);
    expect(withoutDevices(gpu(), left, [0]).free).toEqual([0]);
  });
});

describe('deviceCapacity', () => {
  it('derives free capacity from the bookings, the offer and the current devices, not from earlier calls', () => {
    const host = [device('a'), slice('b1', 'b', '3g.40gb'), slice('b2', 'b', '3g.40gb')];
    const arranged = arrangeDevices(host, true);
    const at = (id: string): number => arranged.ids.indexOf(id);
    const one = bookings({ a: { thousandths: 250, unnamedThousandths: 250 } });
    const free = (isOffered: (id: string) => boolean, of = arranged): Record<string, number | undefined> => {
      const capacity = deviceCapacity(of, isOffered, one);
      return Object.fromEntries(of.ids.map((id, position) => [id, capacity.free[position]]));
    };
    expect(free(() => true)).toEqual({ a: 750, b1: 1000, b2: 1000 });
    expect(free((id) => id === 'b2')).toEqual({ a: 750, b1: 0, b2: 1000 });
    expect(free(() => true)).toEqual({ a: 750, b1: 1000, b2: 1000 });
    const sick = arrangeDevices([device('a'), slice('b1', 'b', '3g.40gb')], true);
    expect(free(() => true, sick)).toEqual({ a: 750, b1: 1000 });
    const alone = bookings({ b1: { thousandths: 1000, isExclusive: true } });
    expect(deviceCapacity(arranged, () => true, alone).free[at('b2')]).toBe(0);
  });
});

describe('the set of devices', () => {
  it('is the same for the same devices, whatever their ids, their order and their slots', () => {
    const host = (prefix: string): DeviceDocument[] => [
      slice(`${prefix}3`, `${prefix}1`, '1g.10gb'),
      device(`${prefix}2`, { pciAddress: prefix, model: 'NVIDIA A30' }),
      device(`${prefix}1`, { pciAddress: prefix, sources: [{ fact: 'model', source: prefix }] }),
    ];
    const [one, other] = [arrangeDevices(host('x'), true), arrangeDevices(host('a').reverse(), true)];
    expect(other.set.key).toBe(one.set.key);
    expect(other.ids.map((id) => id.slice(1))).toEqual(one.ids.map((id) => id.slice(1)));
    expect(arrangeDevices(host('x'), false).set.key).not.toBe(one.set.key);
  });
});

describe('the charge for devices', () => {
  it('counts whole devices as one, slices by their part of the model, shares by their thousandths', () => {
    const parts = [slice('s', 'gpu-0', '3g.40gb'), slice('t', 'gpu-0', '1g.10gb')];
    expect(gpusOf(gpu({ migProfile: '3g.40gb' }), [parts[0]])).toBeCloseTo(3 / 7);
    expect(
      gpusOf(gpu({ migProfile: '1g.6gb' }), [device('x', { model: 'NVIDIA A30', migProfile: '1g.6gb' })]),
    ).toBe(0.25);
    expect(gpusOf(gpu({ count: 2 }), [device('a'), device('b')])).toBe(2);
    expect(gpusOf(gpu({ share: 300 }), [device('a')])).toBe(0.3);
    expect(gpusOf(undefined, [])).toBe(0);
    expect(wholeGpus([device('gpu-0'), ...parts, device('gpu-1')])).toBe(2);
    expect(wholeGpus(parts)).toBeCloseTo(4 / 7);
  });

  /** One MI300X in partitions; the tool reports the memory of the whole for each. */
  const divided = (mode: string, parts: number): readonly DeviceDocument[] =>
    Array.from({ length: parts }, (_, at) =>
      device(`GPU-1/${at}`, {
        ...{ vendor: 'AMD', model: 'AMD Instinct MI300X', parentId: 'GPU-1' },
        ...{ partitionMode: mode, memoryMiB: 196_592 },
      }),
    );

  it.each([
    ['SPX/NPS1', 1],
    ['DPX/NPS1', 2],
    ['QPX/NPS1', 4],
    ['CPX/NPS1', 8],
    ['CPX/NPS4', 8],
  ])('charges a partition of mode %s as one of %i, and all of them as one GPU', (mode, parts) => {
    const devices = divided(mode, parts);
    expect(gpusOf(gpu({ migFraction: 1 }), devices.slice(0, 1))).toBeCloseTo(1 / parts);
    expect(wholeGpus(devices)).toBeCloseTo(1);
  });

  it('gives each partition its part of the memory, and places several on one GPU', () => {
    const devices = divided('CPX/NPS1', 8);
    const part = { migFraction: 125 };
    expect(choice({ ...part, minMemoryMiB: 24_576 }, devices)).toEqual(['GPU-1/0']);
    expect(choice({ ...part, minMemoryMiB: 24_577 }, devices)).toBeUndefined();
    expect(choice({ ...part, count: 9 }, devices)).toBeUndefined();
    expect(choice({ ...part, exclusive: true }, devices)).toEqual(['GPU-1/0']);
    expect(choice({ ...part, exclusive: true }, devices, { 'GPU-1/5': all })).toBeUndefined();
    expect(choice({}, devices)).toBeUndefined();
  });
});
