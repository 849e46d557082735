/** Choices of devices, compared with a search through all sets of devices of small hosts. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { matchDevices } from '../verdict/device-match.js';
import { chooseDevices, deviceChoices } from './device-choice.js';
import { type Booked, deviceCapacity, withoutDevices } from './device-capacity.js';
import { arrangeDevices } from './device-set.js';
import { deviceFacts, deviceVerdict, verdictRank } from '../verdict/device-verdict.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';
import type { DeviceDocument } from '../device.types.js';

/** Whole GPUs with their nominal memory. */
const models = [
  { model: 'NVIDIA A100-SXM4-40GB', memoryMiB: 40_536 },
  { model: 'NVIDIA A100-SXM4-80GB', memoryMiB: 81_251 },
  { model: 'NVIDIA A30', memoryMiB: 24_258 },
] as const;
const profiles = [
  { migProfile: '1g.5gb', memoryMiB: 4864 },
  { migProfile: '2g.10gb', memoryMiB: 9856 },
  { migProfile: '3g.20gb', memoryMiB: 19_968 },
] as const;

type OneGpu = readonly DeviceDocument[];

const anyWhole = fc
  .record({
    of: fc.constantFrom(...models),
    nvlinkGroup: fc.constantFrom('n1', 'n2', undefined),
    health: fc.constantFrom('HEALTHY' as const, 'HEALTHY' as const, 'UNKNOWN' as const),
    driverVersion: fc.constantFrom('535.104.05', '580.65.06'),
  })
  .map(({ of, nvlinkGroup, ...facts }): OneGpu => {
    const linked = nvlinkGroup === undefined ? {} : { nvlinkGroup };
    return [{ id: '', vendor: 'NVIDIA', ...of, ...facts, ...linked }];
  });
/** A GPU in slices: some tools report it in addition to them. */
const anyDivided = fc
  .record({
    slices: fc.array(fc.constantFrom(...profiles), { minLength: 1, maxLength: 3 }),
    isReported: fc.boolean(),
  })
  .map(({ slices, isReported }): OneGpu => {
    const facts = {
      vendor: 'NVIDIA',
      model: models[0].model,
      health: 'HEALTHY' as const,
      driverVersion: '535.104.05',
    };
    const own = slices.map((slice) => ({ id: '', ...facts, ...slice, parentId: 'parent' }));
    return isReported ? [{ id: 'parent', ...facts, memoryMiB: 40_536 }, ...own] : own;
  });

const anyHost = fc.array(fc.oneof(anyWhole, anyDivided), { minLength: 1, maxLength: 4 }).map((gpus) =>
  gpus.flatMap((gpu, at) =>
    gpu.map((device, index): DeviceDocument => ({
      ...device,
      id: device.id === 'parent' ? `gpu-${at}` : `gpu-${at}-${index}`,
      ...(device.parentId === undefined ? {} : { parentId: `gpu-${at}` }),
    })),
  ),
);

const nothing = { models: [], sassTargets: [], ptxTargets: [], nvlink: false, optional: false };
const anyRequirement = fc.oneof(
  fc.record({
    count: fc.constantFrom(1, 1, 2, 3, 4),
    nvlink: fc.constantFrom(false, false, true),
    exclusive: fc.constantFrom(false, true),
    change: fc.constantFrom<Partial<StoredGpuRequirement>>(
      {},
      { minMemoryMiB: 40_960 },
      { cudaRuntime: '12.9' },
      { models: ['A100'] },
    ),
  }),
  fc.record({
    count: fc.constantFrom(1, 1, 2, 3),
    nvlink: fc.constant(false),
    exclusive: fc.constantFrom(false, true),
    change: fc.constantFrom<Partial<StoredGpuRequirement>>(
      { migProfile: '1g.5gb' },
      { migProfile: '2g.10gb' },
      { migFraction: 200 },
      { migFraction: 300, minMemoryMiB: 10_000 },
    ),
  }),
);

/** Booked thousandths of each device. */
const anyTaken = fc.array(fc.constantFrom(0, 0, 0, 0, 0, 300, 1000), { minLength: 16, maxLength: 16 });

/** A host with its devices, the suitable ones, and the free ones. */
function hostOf(devices: readonly DeviceDocument[], gpu: StoredGpuRequirement, taken: readonly number[]) {
  const facts = new Map(deviceFacts(devices, true).map((one, at) => [devices[at]?.id ?? '', one]));
  // No job can have a GPU that is divided.
  const isDivided = (id: string): boolean => devices.some(({ parentId }) => parentId === id);
  const used = new Map(devices.map(({ id }, at) => [id, isDivided(id) ? 0 : (taken[at] ?? 0)]));
  const rank = (id: string): number => {
    const own = facts.get(id);
    return own ? verdictRank(deviceVerdict(gpu, own)) : 3;
  };
  const gpuOf = (id: string): string => devices.find((one) => one.id === id)?.parentId ?? id;
  const arranged = arrangeDevices(devices, true);
  const booked = (thousandths: number): Booked => ({
    thousandths,
    memoryMiB: 0,
    unnamedThousandths: thousandths,
    isExclusive: false,
  });
  const bookings = new Map([...used].map(([id, thousandths]) => [id, booked(thousandths)]));
  const capacity = deviceCapacity(arranged, (id) => used.get(id) === 0, bookings);
  const match = matchDevices(gpu, arranged.set);
  const idsOf = (positions: readonly number[]): string[] => positions.map((at) => arranged.ids[at] ?? '');
  return { facts, used, rank, gpuOf, arranged, capacity, match, idsOf };
}

function subsets(ids: readonly string[], count: number): readonly (readonly string[])[] {
  if (count === 0) return [[]];
  return ids.flatMap((id, at) => subsets(ids.slice(at + 1), count - 1).map((rest) => [id, ...rest]));
}

describe('chooseDevices', () => {
  it('gives devices to every job that can have them, with the best verdict, whole, connected and exclusive as requested', () => {
    let found = 0;
    fc.assert(
      fc.property(
        anyHost,
        anyRequirement,
        anyTaken,
        (devices, { count, nvlink, exclusive, change }, taken) => {
          const alone = exclusive ? { exclusive } : {};
          const gpu: StoredGpuRequirement = { ...nothing, ...change, count, nvlink, ...alone };
          const { facts, used, rank, gpuOf, capacity, match, idsOf } = hostOf(devices, gpu, taken);
          const isFree = (id: string): boolean => used.get(id) === 0;
          const isAllowed = (set: readonly string[]): boolean => {
            const groups = new Set(set.map((id) => facts.get(id)?.nvlinkGroup));
            const physical = set.map(gpuOf);
            const others = devices.filter(
              ({ id, parentId }) => parentId !== undefined && physical.includes(gpuOf(id)),
            );
            const isAlone = new Set(physical).size === count && others.every(({ id }) => isFree(id));
            return (
              (!nvlink || count === 1 || (groups.size === 1 && !groups.has(undefined))) &&
              (!exclusive || isAlone)
            );
          };
          const able = devices.map(({ id }) => id).filter((id) => isFree(id) && rank(id) < 3);
          const possible = subsets(able, count).filter(isAllowed);
          const positions = match && chooseDevices(gpu, match, capacity);
          const chosen = positions && idsOf(positions);
          if (possible.length === 0) {
            expect(chosen).toBeUndefined();
            return;
          }
          found += 1;
          const worst = (set: readonly string[]): number => Math.max(...set.map(rank));
          expect(new Set(chosen).size).toBe(count);
          expect(possible.map((set) => [...set].sort())).toContainEqual([...(chosen ?? [])].sort());
          expect(worst(chosen ?? [])).toBe(Math.min(...possible.map(worst)));
          // The chosen devices are no longer free.
          const left = withoutDevices(gpu, capacity, positions ?? []);
          for (const position of positions ?? []) expect(left.free[position]).toBe(0);
        },
      ),
      { numRuns: 1500 },
    );
    expect(found).toBeGreaterThan(150);
  });

  it('takes a slice from a GPU that is already in use where that is as good', () => {
    let found = 0;
    fc.assert(
      fc.property(anyHost, anyTaken, fc.constantFrom('1g.5gb', '2g.10gb'), (devices, taken, migProfile) => {
        const gpu: StoredGpuRequirement = { ...nothing, count: 1, migProfile };
        const { used, rank, gpuOf, capacity, match, idsOf } = hostOf(devices, gpu, taken);
        const able = devices.map(({ id }) => id).filter((id) => used.get(id) === 0 && rank(id) < 3);
        const isTouched = (id: string): boolean =>
          devices.some(
            (one) => one.parentId !== undefined && gpuOf(one.id) === gpuOf(id) && used.get(one.id) !== 0,
          );
        const chosen = idsOf((match && chooseDevices(gpu, match, capacity)) ?? []);
        expect(chosen).toHaveLength(able.length > 0 ? 1 : 0);
        if (!able.some(isTouched)) return;
        expect(chosen.every(isTouched)).toBe(true);
        found += 1;
      }),
      { numRuns: 600 },
    );
    expect(found).toBeGreaterThan(50);
  });

  it('gives a share of the fullest device with enough thousandths and memory, never of a slice or next to one', () => {
    const anyShare = fc.record({
      share: fc.constantFrom(100, 500, 700),
      shareMemoryMiB: fc.constantFrom(undefined, 1000, 20_000, 30_000),
    });
    let found = 0;
    fc.assert(
      fc.property(anyHost, anyShare, anyTaken, (devices, { share, shareMemoryMiB }, taken) => {
        const memory = shareMemoryMiB === undefined ? {} : { shareMemoryMiB };
        const gpu: StoredGpuRequirement = { ...nothing, count: 1, share, ...memory };
        const { used, rank, capacity, match, idsOf } = hostOf(devices, gpu, taken);
        const parents = new Set(devices.map(({ parentId }) => parentId));
        const able = devices.filter(({ id, migProfile, memoryMiB = Infinity }) => {
          const free = 1000 - (used.get(id) ?? 0);
          const memoryFree = (memoryMiB * free) / 1000;
          const wanted = shareMemoryMiB ?? (memoryMiB * share) / 1000;
          const isWhole = migProfile === undefined && !parents.has(id);
          return isWhole && rank(id) < 3 && free >= share && memoryFree + 1e-3 >= wanted;
        });
        const chosen = idsOf((match && chooseDevices(gpu, match, capacity)) ?? []);
        const choices = match ? deviceChoices(gpu, match, capacity).map(idsOf) : [];
        expect(choices[0] ?? []).toEqual(chosen);
        if (able.length === 0) {
          expect(chosen).toEqual([]);
          return;
        }
        found += 1;
        const [id = ''] = chosen;
        const one = able.find((device) => device.id === id);
        expect(one).toBeDefined();
        const alike = able.filter(
          ({ model, driverVersion }) => model === one?.model && driverVersion === one.driverVersion,
        );
        expect(used.get(id)).toBe(Math.max(...alike.map((device) => used.get(device.id) ?? 0)));
        const least = Math.min(...able.map(({ memoryMiB = 0 }) => memoryMiB));
        expect(one?.memoryMiB).toBe(least);
      }),
      { numRuns: 800 },
    );
    expect(found).toBeGreaterThan(150);
  });
});
