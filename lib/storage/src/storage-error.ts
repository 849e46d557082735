/** Kinds of errors of storages. */
export type StorageErrorKind =
  /** There is no such file. */
  | 'GONE'
  /** The storage refuses access. */
  | 'DENIED'
  /** The storage cannot be reached, is too slow, or reports an error that may pass. */
  | 'SLOW'
  /** Size or digest differ from what was declared. */
  | 'CORRUPT'
  /** No space is left. */
  | 'FULL'
  /** The file is larger than the storage permits. */
  | 'TOO_LARGE'
  /** A file with this key exists. */
  | 'EXISTS'
  /** The request is wrong, or the storage cannot serve it. */
  | 'INVALID';

const helpElsewhere: ReadonlySet<StorageErrorKind> = new Set([
  'GONE',
  'SLOW',
  'CORRUPT',
  'FULL',
  'TOO_LARGE',
]);

export interface StorageErrorOptions extends ErrorOptions {
  readonly mayHelpElsewhere?: boolean;
  /** Pause that the server asks for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** An error of a storage. The message has no credentials and no signatures. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  /** True if a copy of the file in another storage, or another storage for a new file, may help. */
  readonly mayHelpElsewhere: boolean;
  /** Pause that the server asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly kind: StorageErrorKind,
    message: string,
    { mayHelpElsewhere = helpElsewhere.has(kind), retryAfterMs, ...options }: StorageErrorOptions = {},
  ) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
    this.mayHelpElsewhere = mayHelpElsewhere;
  }
}

/** True for an error of a storage, of one of these kinds if any are given. */
export function isStorageError(error: unknown, ...kinds: readonly StorageErrorKind[]): error is StorageError {
  return error instanceof StorageError && (kinds.length === 0 || kinds.includes(error.kind));
}
