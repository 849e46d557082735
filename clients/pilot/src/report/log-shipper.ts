import type { LogChunk, OutputCapture } from '../payload/output-capture.js';
import type { Contact } from './contact.js';

/** Chunks in one call: with at most 60 KiB each, a call stays well under what servers accept. */
const chunksPerCall = 12;
/** Time for which output is collected for one file on disk while there is no contact. */
const collectMs = 1000;

/**
 * Ships captured output, in order, until all of it has arrived or is on disk, or the signal. While neither is
 * possible, no output is taken, and eventually the payload waits.
 * @throws the error of `append`; the signal's reason
 */
export async function shipLog(
  capture: OutputCapture,
  append: (chunks: readonly LogChunk[]) => Promise<void>,
  contact: Pick<Contact, 'whenOpen'>,
  signal: AbortSignal,
): Promise<void> {
  const discard = (): void => capture.discard();
  signal.addEventListener('abort', discard);
  try {
    for (;;) {
      await contact.whenOpen(collectMs);
      const chunks = await capture.nextChunks(chunksPerCall);
      signal.throwIfAborted();
      if (chunks.length === 0) return;
      await append(chunks);
    }
  } catch (error) {
    capture.discard();
    throw error;
  } finally {
    signal.removeEventListener('abort', discard);
  }
}
