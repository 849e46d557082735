/** Interface of file stores. */

/** Storage for outputs: shared by all workers whose jobs read each other's files. */
export interface FileStore {
  /**
   * Stores a local file under a key; an existing file is replaced whole or not at all. Keys are relative
   * paths, with `/`.
   */
  put(localPath: string, place: string, signal: AbortSignal): Promise<void>;
  /** Removes a stored file, if there is one. */
  remove(place: string, signal: AbortSignal): Promise<void>;
  /** Fetches a stored file into a local file. */
  get(place: string, localPath: string, signal: AbortSignal): Promise<void>;
}
