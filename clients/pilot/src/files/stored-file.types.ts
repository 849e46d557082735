/** Files that jobs name. */
import type { Digest } from './checksum.js';

/** A file that the payload finds, by name, in its working folder. */
export interface InputFile {
  readonly name: string;
  /** An http(s) URL, a location in a storage, or a key in the file store. */
  readonly location: string;
}

/** An output with its key in the store. */
export interface StoredFile extends InputFile, Digest {}

/** A parent of the job, with its outputs. */
export interface ParentOutputs {
  readonly jobId: string;
  readonly outputs: readonly StoredFile[];
}
