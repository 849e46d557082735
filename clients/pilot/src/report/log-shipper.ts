import type { Logger } from '@rhizome/log';
import { untilAnswered } from '../protocol/until-answered.js';
import type { LogChunk, OutputCapture } from '../payload/output-capture.js';
import { CoreRefused } from '../protocol/core-protocol.js';

/** Chunks in one call: with at most 60 KiB each, a call stays well under what servers accept. */
const chunksPerCall = 12;

/**
 * Ships captured output to core, in order, until all of it has arrived or the signal. While core does not
 * answer, no output is taken, and eventually the payload waits. If core refuses the log for good, the rest is
 * discarded: that is no reason for the job to fail.
 * @throws the signal's reason
 */
export async function shipLog(
  capture: OutputCapture,
  append: (chunks: readonly LogChunk[]) => Promise<void>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const discard = (): void => capture.discard();
  signal.addEventListener('abort', discard);
  try {
    for (;;) {
      const chunks = await capture.nextChunks(chunksPerCall);
      signal.throwIfAborted();
      if (chunks.length === 0) return;
      await untilAnswered(() => append(chunks), signal);
    }
  } catch (error) {
    capture.discard();
    if (!(error instanceof CoreRefused)) throw error;
    log.warn({ code: error.code, reason: error.message }, 'rest of the job log discarded');
  } finally {
    signal.removeEventListener('abort', discard);
  }
}
