import type { CountsSubscription } from '../operations.generated.js';

type Count = CountsSubscription['jobCountsChanged']['counts'][number];

/** Counts by what they are counted by. */
export type Counts = ReadonlyMap<string, Count>;

/** The counts after a message: all of them in the first, those that changed in the others. */
export function foldCounts(
  before: Counts,
  { jobCountsChanged }: CountsSubscription,
  isFirst: boolean,
): Counts {
  const next = new Map(isFirst ? [] : before);
  for (const count of jobCountsChanged.counts) next.set(keyOf(count), count);
  return next;
}

/** Jobs in each state, over everything. */
export function byState(counts: Counts): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { state, count } of counts.values()) sums.set(state, (sums.get(state) ?? 0) + count);
  return sums;
}

const keyOf = ({ experimentName, queueName, gpuModel, sharePath, state }: Count): string =>
  JSON.stringify([experimentName, queueName, gpuModel, sharePath, state]);
