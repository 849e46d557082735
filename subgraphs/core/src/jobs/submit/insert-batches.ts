import type { JobDocument } from '../model/job.types.js';
import { payloadBytes } from './live-quota.js';

/** Bytes of payloads in one insert: the driver serialises them in one turn of the event loop. */
const batchBytes = 2 * 1024 * 1024;

/** Divides documents so that no insert has many bytes. */
export function* insertBatches(documents: readonly JobDocument[]): Generator<readonly JobDocument[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, { payload }] of documents.entries()) {
    bytes += payloadBytes(payload);
    if (bytes < batchBytes) continue;
    yield documents.slice(start, index + 1);
    [start, bytes] = [index + 1, 0];
  }
  if (start < documents.length) yield documents.slice(start);
}
