import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptFolders } from '../files/scratch.js';

/** Limits in a trial. The number of processes counts all of the user's on older kernels. */
export const trialLimits = { processes: 4096, openFiles: 64 };

/** Makes the folders of a payload below a folder, to try how payloads run. */
export async function trialFolders(folder: string): Promise<AttemptFolders> {
  const root = join(folder, 'root');
  const folders = {
    root,
    work: join(root, 'work'),
    inputs: join(root, 'inputs'),
    outputs: join(root, 'outputs'),
    temporary: join(root, 'tmp'),
    inputsManifest: join(root, 'inputs.json'),
    private: join(folder, 'private'),
  };
  for (const one of [folders.work, folders.temporary]) await mkdir(one, { recursive: true });
  return folders;
}
