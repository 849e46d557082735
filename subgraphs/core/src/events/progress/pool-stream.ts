/** A pool of work units for a subscriber. Its totals are read in intervals: units change far more often. */
import { DomainError } from '@rhizome/errors';
import { sleep } from '@rhizome/retry';
import type { PoolDocument } from '../../units/pools/pool.document.js';
import type { PoolTotals } from '../../units/pools/pools.service.js';

/** Message of the stream. */
export interface WorkPoolChange {
  readonly token: string;
  readonly pool: PoolDocument;
}

/** Reads of the pool of a subscriber. */
export interface PoolSource {
  readonly id: string;
  /** The pool; null if the subscriber may not see it. */
  find(): Promise<PoolDocument | null>;
  totals(pool: PoolDocument): Promise<PoolTotals>;
  /** Age of the oldest unit that waits, in seconds. */
  lagSeconds(totals: PoolTotals): number;
}

/** Streams the pool now, and at each change of its state, its numbers, or its lag by a second. */
export async function* streamPool(
  source: PoolSource,
  intervalMs: number,
  { signal, head }: { readonly signal: AbortSignal; readonly head: () => string },
): AsyncGenerator<WorkPoolChange, void, undefined> {
  let known: string | undefined;
  while (!signal.aborted) {
    // Each time: a permission may end while the stream lasts.
    const pool = await source.find();
    if (!pool) throw poolNotFound(source.id);
    const totals = await source.totals(pool);
    const text = JSON.stringify([pool.state, totals, Math.floor(source.lagSeconds(totals))]);
    if (text !== known) yield { token: head(), pool };
    known = text;
    await sleep(intervalMs, signal);
  }
}

/** The error for a pool that does not exist, or that the caller may not see. */
export function poolNotFound(id: string): DomainError {
  const value = id.slice(0, 100);
  return new DomainError(
    'POOL_NOT_FOUND',
    `Pool ${JSON.stringify(value)} not found, or you may not see it.`,
    {
      value,
    },
  );
}
