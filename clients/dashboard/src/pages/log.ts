import type { LogChunkFragment, LogMovesSubscription } from '../operations.generated.js';

/** A log as it is shown. */
export interface ShownLog {
  readonly chunks: readonly LogChunkFragment[];
  /** The attempt whose output stands last. */
  readonly attempt: number;
  readonly isComplete: boolean;
  /** True if output precedes the shown part. */
  readonly isCut: boolean;
}

/** An empty log. */
export const emptyLog: ShownLog = { chunks: [], attempt: 0, isComplete: false, isCut: false };

/** Chunks on the page at most: the oldest go first. */
const maxChunks = 2000;
/** Characters on the page at most: a browser that lays out all of a log of many mebibytes stands still. */
export const maxCharacters = 500_000;

/**
 * The log after a message. Output of a new attempt replaces it; chunks that are already shown are not added
 * again.
 */
export function foldLog(before: ShownLog, { jobLogAppended }: LogMovesSubscription): ShownLog {
  if (!jobLogAppended.event) return before;
  const { attempt, chunks, isComplete } = jobLogAppended.event;
  if (attempt < before.attempt) return before;
  const kept = attempt > before.attempt ? [] : before.chunks;
  const known = new Set(kept.map(({ cursor }) => cursor));
  const added = chunks.filter(({ cursor }) => !known.has(cursor));
  const all = [...kept, ...added];
  const shown = endOf(all);
  return {
    chunks: shown,
    attempt,
    isComplete: before.isComplete || isComplete,
    isCut: shown.length < all.length || (attempt === before.attempt && before.isCut),
  };
}

/** Latest chunks that fit; always at least one. */
function endOf(chunks: readonly LogChunkFragment[]): readonly LogChunkFragment[] {
  let first = Math.max(0, chunks.length - maxChunks);
  let characters = 0;
  for (let at = chunks.length - 1; at >= first; at -= 1) {
    characters += chunks[at]?.text.length ?? 0;
    if (characters > maxCharacters) first = Math.min(at + 1, chunks.length - 1);
  }
  return first === 0 ? chunks : chunks.slice(first);
}

/** Colours and movements of a terminal's cursor. */
// eslint-disable-next-line no-control-regex -- that is what is looked for
const terminalCodes = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;

/**
 * Text as it can be read on a page: without a terminal's codes, and with what overwrites a line on a line of
 * its own.
 */
export function readable(text: string): string {
  return text.replace(terminalCodes, '').replace(/\r(?!\n|$)/g, '\n');
}
