import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptFolders } from '../files/scratch.js';

/** Limits in a trial. The number of processes counts all of the user's on older kernels. */
export const trialLimits = { processes: 4096, openFiles: 64 };

/** Folders of a trial. */
export interface TrialFolders {
  /** Folder of the trial itself, which the payload does not see. */
  readonly folder: string;
  readonly folders: AttemptFolders;
}

/** Makes the folders of a payload below a folder, to try how payloads run, and removes them in the end. */
export async function withTrialFolders<T>(
  scratch: string,
  run: (folders: TrialFolders) => Promise<T>,
): Promise<T> {
  await mkdir(scratch, { recursive: true });
  const folder = await mkdtemp(join(scratch, 'trial-'));
  try {
    return await run({ folder, folders: await trialFolders(folder) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function trialFolders(folder: string): Promise<AttemptFolders> {
  const root = join(folder, 'root');
  const folders = {
    root,
    work: join(root, 'work'),
    inputs: join(root, 'inputs'),
    outputs: join(root, 'outputs'),
    temporary: join(root, 'tmp'),
    requests: join(root, 'requests'),
    units: join(root, 'units'),
    tools: join(root, 'tools'),
    checkpoint: join(root, 'checkpoint'),
    secrets: join(root, 'secrets'),
    inputsManifest: join(root, 'inputs.json'),
    deadline: join(root, 'deadline'),
    private: join(folder, 'private'),
  };
  for (const one of [folders.work, folders.temporary]) await mkdir(one, { recursive: true });
  return folders;
}
