import type { OutputChunk, OutputLogReader } from '../supervisor/output-log.js';
import type { Contact } from './contact.js';

/** Chunks in one call: with at most 60 KiB each, a call stays well under what servers accept. */
const chunksPerCall = 12;
/** Time for which output is collected for one file on disk while there is no contact. */
const collectMs = 1000;

/**
 * Ships the log of a payload, in order, until all of it has arrived or is among the reports on disk, or the
 * signal.
 * @throws the error of `append`; the signal's reason
 */
export async function shipLog(
  output: OutputLogReader,
  append: (chunks: readonly OutputChunk[]) => Promise<void>,
  contact: Pick<Contact, 'whenOpen'>,
  signal: AbortSignal,
): Promise<void> {
  const discard = (): void => output.discard();
  signal.addEventListener('abort', discard);
  try {
    for (;;) {
      await contact.whenOpen(collectMs);
      const chunks = await output.nextChunks(chunksPerCall);
      signal.throwIfAborted();
      if (chunks.length === 0) return;
      await append(chunks);
    }
  } catch (error) {
    output.discard();
    throw error;
  } finally {
    signal.removeEventListener('abort', discard);
  }
}
