import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { containerRuntimes as runtimes } from '../payload/container.js';

/** The container runtimes that payloads can use and whose programs are on a search path. */
export async function findContainerRuntimes(searchPath: string): Promise<readonly string[]> {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '');
  const found = await Promise.all(
    runtimes.map(async (name) => {
      const places = await Promise.all(folders.map((folder) => isExecutable(join(folder, name))));
      return places.includes(true);
    }),
  );
  return runtimes.filter((_, index) => found[index]);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
