import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const runtimes = ['apptainer', 'singularity', 'podman', 'docker'] as const;

/** The container runtimes whose programs are on a search path. That a daemon answers behind them is not checked. */
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
