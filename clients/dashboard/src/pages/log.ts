import type { LogChunkFragment, LogMovesSubscription } from '../operations.generated.js';

/** A log as it is shown. */
export interface ShownLog {
  readonly chunks: readonly LogChunkFragment[];
  /** The attempt whose output stands last. */
  readonly attempt: number;
  readonly isComplete: boolean;
}

/** An empty log. */
export const emptyLog: ShownLog = { chunks: [], attempt: 0, isComplete: false };

/** Chunks on the page at most: the oldest go first. */
const MOST_CHUNKS = 2000;

/** The log after a message. The output of a new attempt begins anew; chunks that stand there already are not shown twice. */
export function foldLog(before: ShownLog, { jobLogAppended }: LogMovesSubscription): ShownLog {
  const { attempt, chunks, isComplete } = jobLogAppended;
  const of = attempt ?? before.attempt;
  if (of < before.attempt) return before;
  const kept = of > before.attempt ? [] : before.chunks;
  const known = new Set(kept.map(({ cursor }) => cursor));
  const added = (chunks ?? []).filter(({ cursor }) => !known.has(cursor));
  return {
    chunks: [...kept, ...added].slice(-MOST_CHUNKS),
    attempt: of,
    isComplete: before.isComplete || isComplete === true,
  };
}
