import type { RefusedJob } from './submit.types.js';
import type { JobInputError } from './job-input-error.types.js';

const maxOfJob = 10;
const maxTexts = 1000;
const maxTextBytes = 1024 * 1024;
/** Maximum size of all stored errors, in bytes; the first error of each job may exceed it. */
const maxBytes = 4 * 1024 * 1024;
/** Approximate size that the store adds to the texts of an error, in bytes. */
const overheadBytes = 100;

/** Refused jobs as returned and stored. */
export interface ShownRefusals {
  /** Each refused job with at least one error. */
  readonly refused: readonly RefusedJob[];
  /** Number of further errors. */
  readonly omitted: number;
}

/**
 * Collects the errors of refused jobs within limits: a call may have ten thousand bad jobs with many errors
 * each, and its answer is one document. The first 1,000 errors have their full text; the others have code and
 * path as long as the size limit permits. Each job keeps at least its first error and at most ten.
 */
export class RefusedJobs implements ShownRefusals {
  readonly refused: RefusedJob[] = [];
  omitted = 0;
  #texts = 0;
  #textBytes = 0;
  #bytes = 0;

  /** Adds a refused job. */
  add(index: number, refusals: readonly JobInputError[]): void {
    const kept: JobInputError[] = [];
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

  #shown(refusal: JobInputError): JobInputError {
    const { code, path, message } = refusal;
    if (this.#texts < maxTexts && this.#textBytes + Buffer.byteLength(message) <= maxTextBytes)
      return refusal;
    return { code, path, message: `${path.join('.')}: invalid; earlier errors of this call have details` };
  }
}

function sizeOf({ message, path }: JobInputError): number {
  return path.reduce((sum, part) => sum + part.length + 8, overheadBytes + Buffer.byteLength(message));
}
