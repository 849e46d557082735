/** Header of a block, and the order of units with an ordering key. Pure. */
import type { PoolSettings } from '../pools/pool.document.js';
import type { BlockHeader } from './block.document.js';
import type { Block, StoredUnit } from './unit.types.js';

/** Time for which dead letters are kept at least, in milliseconds. */
const deadLettersMs = 30 * 86_400_000;

/** True for a unit that will not be leased again. */
export function hasEnded({ state }: StoredUnit): boolean {
  return state === 'COMPLETED' || state === 'DEAD';
}

/**
 * Positions of the units that wait and whose predecessors with the same ordering key have ended, in order. A
 * leased unit also holds back those before it, which were dead letters when it was leased; only within the
 * block: a dead letter of an earlier block that waits again does not wait for it.
 * @param blocked ordering keys with predecessors in earlier blocks
 */
export function* unblocked(
  units: readonly StoredUnit[],
  blocked: ReadonlySet<string> = new Set(),
): Generator<number> {
  const open = new Set<string>();
  for (const { orderingKey: key, state } of units) if (state === 'LEASED' && key !== undefined) open.add(key);
  for (const [position, unit] of units.entries()) {
    if (hasEnded(unit)) continue;
    const { orderingKey: key, state } = unit;
    const isFirst = key === undefined || !(open.has(key) || blocked.has(key));
    if (key !== undefined) open.add(key);
    if (isFirst && state === 'WAITING') yield position;
  }
}

/** Header of the units of a block. */
export function headerOf(
  { units, createdAt }: Pick<Block, 'units' | 'createdAt'>,
  { retentionSeconds }: Pick<PoolSettings, 'retentionSeconds'>,
  now: Date,
): BlockHeader {
  const tally = { waiting: 0, leased: 0, completed: 0, dead: 0, waitingBytes: 0, failures: 0, seconds: 0 };
  const openKeys = new Set<string>();
  const holders = new Set<string>();
  let waitingSince: Date | undefined;
  let sweepAt: Date | undefined;
  for (const unit of units) {
    tally.failures += unit.failures ?? 0;
    tally.seconds += unit.end?.seconds ?? 0;
    tally[countOf[unit.state]] += 1;
    if (hasEnded(unit)) continue;
    if (unit.orderingKey !== undefined) openKeys.add(unit.orderingKey);
    if (unit.state === 'WAITING') {
      tally.waitingBytes += unit.bytes;
      waitingSince = earlier(waitingSince, unit.since ?? createdAt);
      sweepAt = earlier(sweepAt, unit.deadline);
    } else if (unit.lease) {
      holders.add(unit.lease.jobId);
      sweepAt = earlier(sweepAt, unit.lease.until);
    }
  }
  const readyAt = readyAtOf(units, createdAt);
  const isOver = tally.waiting + tally.leased === 0;
  const keptMs = Math.max(retentionSeconds * 1000, tally.dead > 0 ? deadLettersMs : 0);
  return {
    ...tally,
    ...(readyAt && { readyAt }),
    ...(waitingSince && { waitingSince }),
    ...(sweepAt && { sweepAt }),
    ...(openKeys.size > 0 && { openKeys: [...openKeys] }),
    ...(holders.size > 0 && { holders: [...holders] }),
    ...(isOver && { expiresAt: new Date(now.getTime() + keptMs) }),
  };
}

const countOf = { WAITING: 'waiting', LEASED: 'leased', COMPLETED: 'completed', DEAD: 'dead' } as const;

/** Units behind others of their key become ready by a change of this block. */
function readyAtOf(units: readonly StoredUnit[], createdAt: Date): Date | undefined {
  let readyAt: Date | undefined;
  for (const position of unblocked(units))
    readyAt = earlier(readyAt, units[position]?.notBefore ?? createdAt);
  return readyAt;
}

function earlier(one: Date | undefined, other: Date | undefined): Date | undefined {
  if (!one || !other) return one ?? other;
  return one <= other ? one : other;
}
