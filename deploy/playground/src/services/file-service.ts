/** The file service of the playground, which keeps the outputs of jobs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child } from '../processes/child-process.js';
import { programOf } from '../root.js';
import { startServiceAt } from './service.js';

/** Name of the storage, and of its credential. */
export const playgroundStorage = 'playground';

/** Folder of the credentials of storages, in the data folder. */
export function credentialFolder(data: string): string {
  return join(data, 'credentials');
}

/** Folder of the stored files, in the data folder. */
export function filesFolder(data: string): string {
  return join(data, 'files');
}

/** A running file service. */
export interface RunningFileService extends Child {
  readonly url: string;
}

/** Where the service listens, and who may read from it. */
export interface FileServiceOptions {
  readonly port: number;
  /** Origins of web pages that may read files. */
  readonly origins: readonly string[];
}

/** Starts the service, and gives core its key. @throws with the last lines of its log */
export async function startFileService(
  data: string,
  { port, origins }: FileServiceOptions,
): Promise<RunningFileService> {
  const keyFile = join(data, 'storage.keys');
  const folder = credentialFolder(data);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const credential = { kind: 'SIGNING_KEYS', keyFile };
  writeFileSync(join(folder, `${playgroundStorage}.json`), `${JSON.stringify(credential)}\n`, {
    mode: 0o600,
  });
  const url = `http://127.0.0.1:${port}`;
  const service = await startServiceAt(url, {
    name: 'the file service',
    program: programOf('@rhizome/file-service'),
    nodeOptions: ['--max-semi-space-size=2'],
    env: {
      RHIZOME_STORAGE_FOLDER: filesFolder(data),
      RHIZOME_STORAGE_KEY_FILE: keyFile,
      RHIZOME_STORAGE_PORT: String(port),
      RHIZOME_STORAGE_ORIGINS: JSON.stringify(origins),
      // A laptop may have little space left.
      RHIZOME_STORAGE_RESERVE_BYTES: String(64 * 2 ** 20),
      RHIZOME_STORAGE_DRAIN_SECONDS: '1',
    },
    logFile: join(data, 'logs', 'file-service.log'),
  });
  return Object.assign(service, { url });
}
