/** The playground's data folder: owned by one running playground at a time, and forgotten on request. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '@rhizome/errors';

/** Everything that a playground leaves in its folder; other files there are not ours. */
const parts = [
  'mongo',
  'pilots',
  'store',
  'logs',
  'token-key.json',
  'jwks.json',
  'supergraph.graphql',
  'playground.log',
  'playground.json',
  'token',
];

/** An owned folder. */
export interface DataFolder {
  readonly path: string;
  /** Forgets all data of earlier starts. */
  reset(): void;
  /** Gives the folder up. */
  release(): void;
}

interface Owner {
  readonly pid: number;
  readonly startedAt: string;
}

/**
 * Takes the folder for this process; an owner that was killed counts for nothing.
 * @throws DomainError CONFIG_INVALID when another playground runs on it
 */
export function ownDataFolder(path: string): DataFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 });
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

function owned(path: string, pid: number): DomainError {
  const expected = 'a folder of its own for each playground: end the other one, or give --data DIR';
  return new DomainError(
    'CONFIG_INVALID',
    `process ${pid} runs a playground in ${path}; expected ${expected}`,
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

/** When a process started, in the kernel's ticks: tells it from a later one of the same id. Empty when there is none. */
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
