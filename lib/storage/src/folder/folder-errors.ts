import { isStorageError, StorageError, type StorageErrorKind } from '../storage-error.js';

const kinds: Readonly<Record<string, StorageErrorKind>> = {
  ENOENT: 'GONE',
  ENOTDIR: 'GONE',
  // A link, which is not followed.
  ELOOP: 'GONE',
  EISDIR: 'GONE',
  EACCES: 'DENIED',
  EPERM: 'DENIED',
  EROFS: 'DENIED',
  ENOSPC: 'FULL',
  EDQUOT: 'FULL',
  EFBIG: 'TOO_LARGE',
  EEXIST: 'EXISTS',
  ENAMETOOLONG: 'INVALID',
};

/** Codes with another meaning for a file that is written: its place is taken by a folder or a file. */
const kindsOfWrites: Readonly<Record<string, StorageErrorKind>> = {
  ENOTDIR: 'INVALID',
  EISDIR: 'INVALID',
  ELOOP: 'INVALID',
  ENOTEMPTY: 'INVALID',
};

/** An error of the operating system as one of a storage; an abort and other errors stay as they are. */
export function folderError(error: unknown, action: 'read' | 'written', key: string): unknown {
  if (isStorageError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const kind = (action === 'written' ? kindsOfWrites[code] : undefined) ?? kinds[code] ?? 'SLOW';
  const text = `${JSON.stringify(key)} could not be ${action}: ${explanation(kind, code)}`;
  return new StorageError(kind, text, { cause: error });
}

function explanation(kind: StorageErrorKind, code: string): string {
  const texts: Readonly<Partial<Record<StorageErrorKind, string>>> = {
    GONE: 'there is no such file',
    EXISTS: 'a file with this key exists',
    FULL: 'no space is left',
    TOO_LARGE: 'the file is larger than the file system permits',
    INVALID: 'a part of the key is a file or a link, or the key is a folder',
  };
  return texts[kind] ?? `the file system reports ${code}`;
}
