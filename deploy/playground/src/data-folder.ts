/** The data folder of the playground. One running playground at a time owns it. */
import {
  chmodSync,
  type Dirent,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '@rhizome/errors';

/** Files and folders that a playground creates; it does not touch others. */
const parts = [
  'mongo',
  'pilots',
  'store',
  'files',
  'credentials',
  'storage.keys',
  'logs',
  'audit',
  'token-key.json',
  'jwks.json',
  'call-key.json',
  'call-jwks.json',
  'core-key.json',
  'core-key.json.jwks',
  'identity.key',
  'secrets.keys',
  'supergraph.graphql',
  'playground.log',
  'playground.json',
  'token',
];

/** A data folder that this process owns. */
export interface DataFolder {
  readonly path: string;
  /** Deletes the data of earlier runs. */
  reset(): void;
  /** Gives up ownership. */
  release(): void;
}

interface Owner {
  readonly pid: number;
  readonly startedAt: string;
}

/**
 * Takes ownership of the folder for this process. A previous owner that no longer runs is ignored.
 * @throws DomainError CONFIG_INVALID if another playground uses the folder
 */
export function ownDataFolder(path: string): DataFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  closeToOthers(path);
  const file = join(path, 'owner.json');
  const own: Owner = { pid: process.pid, startedAt: startOf(process.pid) };
  try {
    writeFileSync(file, JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const owner = readOwner(file);
    if (owner && owner.startedAt !== '' && startOf(owner.pid) === owner.startedAt)
      throw owned(path, owner.pid);
    writeFileSync(file, JSON.stringify(own), { mode: 0o600 });
  }
  return {
    path,
    reset: () => {
      for (const part of parts) rmSync(join(path, part), { recursive: true, force: true });
    },
    release: () => rmSync(file, { force: true }),
  };
}

/**
 * Removes all permissions of others from a folder that was open to them, and from what a playground creates
 * in it. Below a folder that was closed already nobody else can have opened anything.
 */
function closeToOthers(path: string): void {
  const { mode } = lstatSync(path);
  chmodSync(path, 0o700);
  if ((mode & 0o077) === 0) return;
  const found = readdirSync(path, { withFileTypes: true });
  for (const entry of found) if (parts.includes(entry.name)) closeEntry(path, entry);
}

function closeEntry(folder: string, entry: Dirent): void {
  // The permissions of a link are those of its target, which may be anywhere.
  if (!entry.isDirectory() && !entry.isFile()) return;
  const path = join(folder, entry.name);
  chmodSync(path, lstatSync(path).mode & 0o700);
  if (!entry.isDirectory()) return;
  for (const below of readdirSync(path, { withFileTypes: true })) closeEntry(path, below);
}

function owned(path: string, pid: number): DomainError {
  const expected = 'its own folder for each playground: stop the other one, or pass --data DIR';
  return new DomainError(
    'CONFIG_INVALID',
    `data: ${path} is in use by the playground of process ${pid}; must be ${expected}`,
    {
      field: 'data',
      value: path,
      expected,
    },
  );
}

function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

/**
 * Start time of a process in kernel ticks, which distinguishes it from a later one with the same id. Empty if
 * it does not exist.
 */
function startOf(pid: number): string {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? ''
    );
  } catch {
    return '';
  }
}
