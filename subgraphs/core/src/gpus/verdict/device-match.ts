/** Devices of a set that serve a requirement, best first: computed once for a class and a set. */
import { modelOf, plainName } from '../catalogue/catalogue.js';
import type { DeviceSet } from '../capacity/device-set.js';
import { deviceVerdict, refused, verdictRank } from './device-verdict.js';
import { profileOf } from '../capacity/gpu-equivalents.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** Devices that serve a requirement. */
export interface DeviceMatch {
  readonly set: DeviceSet;
  /** Positions, best first: by verdict, then the smallest that is sufficient. */
  readonly positions: readonly number[];
  /** Rank of each position of the set; smaller is better. */
  readonly ranks: readonly number[];
  /** Number of the make of each position, if the suitable devices are of several. */
  readonly makes?: readonly number[];
}

/** Weight of one level of the verdict: larger than any size of memory. */
const perVerdict = 1000;
/** Penalty for mixed makes: worse than any equal devices with the same verdict. */
const perMixture = perVerdict / 2;

/** Rank of a set of devices: that of the worst, better if all are of one make. */
export function rankTogether({ ranks, makes }: DeviceMatch, positions: readonly number[]): number {
  let [rank, isMixed] = [0, false];
  for (const position of positions) {
    rank = Math.max(rank, ranks[position] ?? 0);
    if (makes && makes[position] !== makes[positions[0] ?? 0]) isMixed = true;
  }
  return rank + (isMixed ? perMixture : 0);
}

/** Returns the devices of the set that serve, or undefined if there are too few even when all are free. */
export function matchDevices(gpu: StoredGpuRequirement, set: DeviceSet): DeviceMatch | undefined {
  const verdicts: number[] = [];
  const positions: number[] = [];
  const ranks: number[] = [];
  let isSorted = true;
  for (let position = 0; position < set.facts.length; position += 1) {
    const kind = set.kinds[position] ?? 0;
    const facts = set.facts[position];
    const rank = (verdicts[kind] ??= facts ? verdictRank(deviceVerdict(gpu, facts)) : refused);
    ranks.push(rank === refused ? Infinity : rank * perVerdict + (set.sizes[position] ?? 0));
    if (rank === refused) continue;
    const last = positions[positions.length - 1];
    if (last !== undefined && set.kinds[last] !== kind) isSorted = false;
    positions.push(position);
  }
  if (positions.length < gpu.count) return undefined;
  const order = (position: number): number => (ranks[position] ?? 0) * 8 + (set.parts[position] ?? 0);
  if (!isSorted) positions.sort((a, b) => order(a) - order(b) || a - b);
  const most = gpu.nvlink && gpu.count > 1 ? largestSet(positions, set, gpu) : usable(positions, set, gpu);
  if (most < gpu.count) return undefined;
  const makes = gpu.count > 1 && !isSorted ? makesOf(positions, set) : undefined;
  return { set, positions, ranks, ...(makes ? { makes } : {}) };
}

/** Number of the make of each position (model, size and division), or undefined if all are of one. */
function makesOf(positions: readonly number[], { facts, sizes }: DeviceSet): readonly number[] | undefined {
  const numbers = new Map<string, number>();
  const makes: number[] = [];
  for (const position of positions) {
    const device = facts[position];
    const model = device && (modelOf(device)?.name ?? plainName(device.model));
    const make = `${model}/${(device && profileOf(device)) ?? ''}/${device?.partitionMode ?? ''}/${sizes[position] ?? 0}`;
    makes[position] = numbers.get(make) ?? numbers.size;
    numbers.set(make, makes[position]);
  }
  return numbers.size > 1 ? makes : undefined;
}

/** Number of usable devices: one slice per GPU if the job needs exclusive GPUs. */
function usable(positions: readonly number[], set: DeviceSet, gpu: StoredGpuRequirement): number {
  if (!gpu.exclusive) return positions.length;
  return new Set(positions.map((position) => set.gpus[position])).size;
}

function largestSet(positions: readonly number[], set: DeviceSet, gpu: StoredGpuRequirement): number {
  const sets = new Map<string, number[]>();
  for (const position of positions) {
    const group = set.facts[position]?.nvlinkGroup ?? '';
    sets.set(group, [...(sets.get(group) ?? []), position]);
  }
  return Math.max(0, ...[...sets.values()].map((linked) => usable(linked, set, gpu)));
}
