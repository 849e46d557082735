import { isStorageError, StorageError, type StorageErrorKind } from '../storage-error.js';
import { kindOfStatus } from '../http/http-client.js';

const kinds: Readonly<Record<string, StorageErrorKind>> = {
  NoSuchKey: 'GONE',
  NotFound: 'GONE',
  // Nothing helps but another configuration: the file may well be there.
  NoSuchBucket: 'INVALID',
  AccessDenied: 'DENIED',
  InvalidAccessKeyId: 'DENIED',
  SignatureDoesNotMatch: 'DENIED',
  ExpiredToken: 'DENIED',
  SlowDown: 'SLOW',
  RequestTimeout: 'SLOW',
  BadDigest: 'CORRUPT',
  InvalidDigest: 'CORRUPT',
  XAmzContentChecksumMismatch: 'CORRUPT',
  XAmzContentSHA256Mismatch: 'CORRUPT',
  IncompleteBody: 'CORRUPT',
  PreconditionFailed: 'EXISTS',
  ConditionalRequestConflict: 'EXISTS',
  EntityTooLarge: 'TOO_LARGE',
  QuotaExceeded: 'FULL',
  XMinioStorageFull: 'FULL',
  InvalidRange: 'INVALID',
};

/** An error of the SDK as one of a storage; the reason of the signal if it is aborted. */
export function s3Error(error: unknown, what: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (isStorageError(error)) return error;
  if (!(error instanceof Error)) return new StorageError('SLOW', `${what} failed: ${String(error)}`);
  const { status, code } = describe(error);
  const kind = kinds[error.name] ?? kinds[code] ?? (status === undefined ? 'SLOW' : kindOfStatus(status));
  const name = error.name === 'Error' || error.name === 'Unknown' ? code : error.name;
  const text = [name, status === undefined ? '' : `status ${status}`, error.message].filter(
    (part) => part !== '',
  );
  return new StorageError(kind, `${what} failed: ${[...new Set(text)].join(', ')}`, { cause: error });
}

function describe(error: Error): { readonly status: number | undefined; readonly code: string } {
  const { $metadata, code } = error as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly code?: unknown;
  };
  return { status: $metadata?.httpStatusCode, code: typeof code === 'string' ? code : '' };
}
