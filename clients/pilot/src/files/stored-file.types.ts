/** Files that jobs name. */
import type { Digest } from './checksum.js';
import type { Checksum } from './content-check.js';

/** A file that the payload finds, by name, in its working folder. */
export interface InputFile {
  readonly name: string;
  /** An http(s) URL, a location in a storage, or a key in the file store. */
  readonly location: string;
  /** Other places of the file; absent for none. */
  readonly otherLocations?: readonly string[];
  /** Null or absent if it is not known. */
  readonly sizeBytes?: number | null;
  /** Digests of an input; absent for none. */
  readonly checksums?: readonly Checksum[];
}

/** An output with its key in the store. */
export interface StoredFile extends Pick<InputFile, 'name' | 'location'>, Digest {}

/** A file that the job reads from another node of its workflow. */
export interface NodeFile {
  /** In the working folder: a name, or a folder and a name. */
  readonly path: string;
  /** Name of the node. */
  readonly node: string;
  /** Declared name of the output. */
  readonly name: string;
  /** True if the payload also runs without it. */
  readonly isOptional: boolean;
  /** Job that stored it; null if there is none. */
  readonly jobId: string | null;
  readonly output: StoredFile | null;
}

/** A parent of the job, with its outputs. */
export interface ParentOutputs {
  readonly jobId: string;
  readonly outputs: readonly StoredFile[];
}
