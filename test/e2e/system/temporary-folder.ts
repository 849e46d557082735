import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leftovers } from '@rhizome/testkit';

/** A folder of its own; it is removed at the end of the file. */
export async function temporaryFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `rhizome-${name}-`));
  leftovers.defer(`the folder ${folder}`, () => rm(folder, { recursive: true, force: true }));
  return folder;
}
