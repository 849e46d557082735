import { readFile } from 'node:fs/promises';

/** A small file's text without the space around it; undefined where it cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
