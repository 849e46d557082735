/** What a file store does. */

/** Where outputs are put and from where others fetch them: shared by all workers whose jobs read each other's files. */
export interface FileStore {
  /** Puts a local file at a place; a file of that place is replaced whole or not at all. Places are relative, with `/`. */
  put(localPath: string, place: string, signal: AbortSignal): Promise<void>;
  /** Fetches what is at a place into a local file. */
  get(place: string, localPath: string, signal: AbortSignal): Promise<void>;
}
