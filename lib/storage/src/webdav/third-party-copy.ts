/** Copies between two servers without the bytes passing here, as FTS asks for them. */
import { StorageError } from '../storage-error.js';
import type { FileResponse } from '../http/http-client.js';

/** The progress of a copy, by the markers that the server sends. */
export interface CopyProgress {
  readonly bytes: number;
}

/** Longest line of an answer, in bytes; others are cut. */
const longestLine = 8192;

/**
 * Follows the answer to a COPY to its end: performance markers, then `success: …` or `failure: …`.
 * @throws StorageError SLOW with the reason of the server, or if the answer ends without a result
 */
export async function followCopy(
  { status, body }: FileResponse,
  onProgress: ((progress: CopyProgress) => void) | undefined,
): Promise<void> {
  let rest = '';
  let result: string | undefined;
  const stripes = new Map<string, number>();
  let stripe = '0';
  const read = (line: string): void => {
    const [, name = '', value = ''] = /^\s*([^:]+):?\s*(.*?)\s*$/.exec(line) ?? [];
    if (/^(success|failure|aborted)$/i.test(name)) result = line.trim();
    else if (name === 'Stripe Index') stripe = value;
    else if (name === 'Stripe Bytes Transferred') stripes.set(stripe, Number(value) || 0);
    else if (name === 'End')
      onProgress?.({ bytes: [...stripes.values()].reduce((sum, bytes) => sum + bytes, 0) });
  };
  for await (const piece of body) {
    const lines = `${rest}${String(piece)}`.split('\n');
    rest = (lines.pop() ?? '').slice(0, longestLine);
    lines.forEach(read);
  }
  read(rest);
  if (result === undefined && status !== 202) return;
  if (result !== undefined && /^success/i.test(result)) return;
  throw new StorageError(
    'SLOW',
    `The copy failed: ${result?.slice(0, 500) ?? 'the server ended it without a result'}`,
  );
}
