import { FolderStore } from './folder-store.js';
import { HttpStore, type StoreToken } from './http-store.js';
import type { FileStore } from './file-store.types.js';

/**
 * The store at a folder's path or at an http(s) URL that answers PUT and GET.
 * @param token for a store by URL that asks for one
 */
export function openFileStore(address: string, token?: StoreToken): FileStore {
  return schemeOf(address) === undefined ? new FolderStore(address) : new HttpStore(address, token);
}

/** The scheme of a URL, in lower case; undefined for a path. */
export function schemeOf(location: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(location)?.[1]?.toLowerCase();
}

/** A key made of single path segments: none may be empty, `.`, `..` or contain a `/`. */
export function placeOf(...parts: readonly string[]): string {
  const bad = parts.find((part) => !isPlainName(part));
  if (bad !== undefined) throw new Error(`${JSON.stringify(bad)} is not a valid part of a file store key`);
  return parts.join('/');
}

/** True if a text is a plain file name. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}
