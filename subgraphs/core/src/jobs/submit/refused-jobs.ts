import type { RefusedJob } from './submit.types.js';
import type { Refusal } from './refusal.types.js';

const maxOfJob = 10;
const maxTexts = 1000;
const maxTextBytes = 1024 * 1024;
/** Of all reasons as they are stored; the first of each job may come on top of it. */
const maxBytes = 4 * 1024 * 1024;
/** What the store adds to the texts of a reason, roughly. */
const overheadBytes = 100;

/** What is told, and kept, of refused jobs. */
export interface ShownRefusals {
  /** Each job that was refused, with one reason at least. */
  readonly refused: readonly RefusedJob[];
  /** Further reasons. */
  readonly omitted: number;
}

/**
 * Collects why jobs are refused, within bounds: a call may have ten thousand bad jobs with many faults each, and its answer is one document.
 * The first 1,000 reasons are told with their text, the others with code and place as long as there is room; of each job at least the first,
 * at most ten.
 */
export class RefusedJobs implements ShownRefusals {
  readonly refused: RefusedJob[] = [];
  omitted = 0;
  #texts = 0;
  #textBytes = 0;
  #bytes = 0;

  /** Takes in a job that is refused. */
  add(index: number, refusals: readonly Refusal[]): void {
    const kept: Refusal[] = [];
    for (const refusal of refusals) {
      if (kept.length >= maxOfJob) break;
      const shown = this.#shown(refusal);
      const size = sizeOf(shown);
      if (kept.length > 0 && this.#bytes + size > maxBytes) break;
      this.#bytes += size;
      if (shown === refusal) {
        this.#texts += 1;
        this.#textBytes += Buffer.byteLength(refusal.message);
      }
      kept.push(shown);
    }
    this.omitted += refusals.length - kept.length;
    this.refused.push({ index, refusals: kept });
  }

  #shown(refusal: Refusal): Refusal {
    const { code, path, message } = refusal;
    if (this.#texts < maxTexts && this.#textBytes + Buffer.byteLength(message) <= maxTextBytes)
      return refusal;
    return { code, path, message: `${path.join('.')}: not valid; the reasons told before it may say more` };
  }
}

function sizeOf({ message, path }: Refusal): number {
  return path.reduce((sum, part) => sum + part.length + 8, overheadBytes + Buffer.byteLength(message));
}
