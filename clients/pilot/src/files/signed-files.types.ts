/** Files in storages that core has signed addresses for. */
import type { SignedAddress } from '@rhizome/storage';
import type { Digest } from './checksum.js';

/** A file to read: a declared input, or an output of a parent. */
export interface SignedRead {
  readonly name: string;
  /** Parent that made it; null for a declared input. */
  readonly jobId: string | null;
  /** Upload of the job, of which a part is read. */
  readonly uploadId?: string;
  /** Number of places of a declared input that have failed; absent for none. */
  readonly source?: number;
}

/** An output to write. */
export interface SignedWrite {
  readonly name: string;
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Files of one call for addresses. */
export interface FilesToSign {
  readonly reads: readonly SignedRead[];
  readonly writes: readonly SignedWrite[];
}

/** Address of a file for some minutes. */
export interface FileAddress extends SignedAddress, SignedRead {
  readonly location: string;
  /** Time at which it expires, in ms of the monotonic clock: clocks of hosts differ. */
  readonly validUntilMs: number;
  /** Size and checksum, if core knows them. */
  readonly digest?: Digest | undefined;
}

/**
 * Asks core for addresses, first of the files to read; waits while core is out of reach.
 * @throws CoreRefused; the signal's reason
 */
export type SignFiles = (files: FilesToSign, signal: AbortSignal) => Promise<readonly FileAddress[]>;
