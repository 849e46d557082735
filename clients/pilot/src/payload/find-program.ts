import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import type { LaunchSpec } from './launch.js';

/**
 * Fails as starting the program on this host would. Needed where another program starts it.
 * @throws the error of the operating system, with its `code`
 */
export async function assertProgramExists({ command, environment, folder }: LaunchSpec): Promise<void> {
  if (command.includes('/')) return access(resolve(folder, command), constants.X_OK);
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((one) => one !== '');
  let failure: unknown = Object.assign(new Error(`${command} not found`), { code: 'ENOENT' });
  for (const one of folders) {
    try {
      return await access(join(one, command), constants.X_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') failure = error;
    }
  }
  throw failure;
}
