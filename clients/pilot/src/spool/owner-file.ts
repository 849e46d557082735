/** The file that says to which pilot a folder of the scratch space belongs. */
import { join } from 'node:path';
import { readDurable, writeDurably } from './durable-file.js';
import type { SpoolOwner } from './spool.types.js';

/** Name of the spool of a pilot: `spool-PID-START`. */
export const spoolPrefix = 'spool';
/** Name of the file. */
export const ownerFile = 'owner.json';
/** Leftovers of pilots with other names are removed after this time: nobody came for them. */
export const longestKeptMs = 7 * 86_400_000;

/** Writes the file. */
export async function recordOwner(folder: string, owner: SpoolOwner): Promise<void> {
  await writeDurably(join(folder, ownerFile), JSON.stringify(owner));
}

/** The pilot that a folder belongs to; undefined if that is not known. */
export async function ownerOf(folder: string): Promise<SpoolOwner | undefined> {
  return readDurable<SpoolOwner>(join(folder, ownerFile)).catch(() => undefined);
}

/** True if the folder belongs to a pilot with the same queue, name and host. */
export async function isOf(folder: string, { queue, name, host }: SpoolOwner): Promise<boolean> {
  const owner = await ownerOf(folder);
  return owner?.queue === queue && owner.name === name && owner.host === host;
}
