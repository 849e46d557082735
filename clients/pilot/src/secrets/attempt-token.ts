/** A token of an attempt, and those for storage that came with it and end at the same time. */
export interface AttemptToken {
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly storages: readonly StorageToken[];
}

/** A token for a storage. */
export interface StorageToken {
  /** Short name of the storage: lower-case letters, digits and `-`. */
  readonly name: string;
  readonly token: string;
}
