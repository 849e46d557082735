import { readFile } from 'node:fs/promises';

/** A small file's text without surrounding white space; undefined if it cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
