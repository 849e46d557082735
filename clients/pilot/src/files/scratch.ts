import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { placeOf } from './file-store.js';

/** The folders of one attempt. */
export interface AttemptFolders {
  /** Contains all of them, and no files of the payload itself. */
  readonly root: string;
  /** Working folder of the payload. */
  readonly work: string;
  /** Outputs of the parents: a folder for each, named by the parent's job id. */
  readonly inputs: string;
  /** Folder for declared outputs. */
  readonly outputs: string;
  /** For temporary files. */
  readonly temporary: string;
  /** For requests of the payload to the pilot. */
  readonly requests: string;
  /** For its work on units; exists only if the attempt has a token. */
  readonly units: string;
  /** Programs for the payload. */
  readonly tools: string;
  /** Files of the checkpoint from which the payload continues; exists only if there is one. */
  readonly checkpoint: string;
  /** Files with secrets, for the payload; exists only if there are some. */
  readonly secrets: string;
  /** Describes the content of `inputs`, as JSON. */
  readonly inputsManifest: string;
  /** Describes the end of the payload, once it has received notice of it. */
  readonly deadline: string;
  /** For files of the pilot about the attempt. It is not below `root`, and exists only if there are some. */
  readonly private: string;
}

/** The part of the scratch space in which a supervisor runs payloads. */
export class Scratch {
  /** @param folder the part itself */
  constructor(readonly folder: string) {}

  /** Creates the folders of an attempt. */
  async makeFolders(attemptId: string): Promise<AttemptFolders> {
    const folders = this.foldersOf(attemptId);
    await mkdir(folders.root, { recursive: true, mode: 0o700 });
    for (const folder of [folders.work, folders.inputs, folders.outputs, folders.temporary])
      await mkdir(folder, { recursive: true });
    return folders;
  }

  /** The folders of an attempt. */
  foldersOf(attemptId: string): AttemptFolders {
    const root = join(this.folder, placeOf(attemptId));
    return {
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
      private: `${root}.private`,
    };
  }
}

/** Removes the folders of an attempt. */
export async function removeFolders({ root, private: own }: AttemptFolders): Promise<void> {
  await removeFolder(root);
  await removeFolder(own);
}

/**
 * Makes a folder that only this user may open.
 * @throws Error if it belongs to another user
 */
export async function makeOwnFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await isOwnFolder(folder))) throw new Error(`Scratch folder ${folder} belongs to another user`);
  await chmod(folder, 0o700);
}

/** True if it is a folder of this user, and no link to one. */
export async function isOwnFolder(folder: string): Promise<boolean> {
  const found = await lstat(folder);
  return found.isDirectory() && found.uid === process.getuid?.();
}

/** Removes a folder, even if a payload has removed its own permission to do so. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch {
    await openUp(folder).catch((error: unknown) => {
      // Another pilot that starts at the same time removes it, too.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Links are left alone: they may lead to folders of others. */
async function openUp(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(folder, entry.name));
  }
}
