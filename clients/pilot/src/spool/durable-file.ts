import { open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';

/**
 * Writes JSON with a checksum. Once it resolves, the file survives the end of the pilot and of its host; if
 * it does not resolve, the file has its former content or none.
 */
export async function writeDurably(path: string, json: string): Promise<void> {
  const aside = `${path}.new`;
  const file = await open(aside, 'w', 0o600);
  try {
    await file.writeFile(withChecksum(json));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  await syncFolder(dirname(path));
}

/** Writes JSON with a checksum. It survives the end of the pilot, but not that of its host. */
export async function writeChecked(path: string, json: string): Promise<void> {
  const aside = `${path}.new`;
  await writeFile(aside, withChecksum(json), { mode: 0o600 });
  await rename(aside, path);
}

/**
 * Reads JSON that was written durably, or with a checksum.
 * @throws Error if the file is damaged
 */
export async function readDurable<T>(path: string): Promise<T> {
  const file = await open(path, 'r');
  try {
    const text = await file.readFile('utf8');
    const content = text.slice(checksumLength + 1);
    if (withChecksum(content) !== text) throw new Error(`${path} is damaged: its checksum is wrong`);
    return JSON.parse(content) as T;
  } finally {
    await file.close();
  }
}

/** Makes new names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const checksumLength = 8;

/** The checksum finds files that a damaged disk returns. */
function withChecksum(content: string): string {
  return `${crc32(content).toString(16).padStart(checksumLength, '0')} ${content}`;
}
