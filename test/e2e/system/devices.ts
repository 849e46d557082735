/**
 * Check at the end of every system: the history of everything its jobs got, however its services were
 * started.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningMongod } from '@rhizome/mongo';
import { checkLeftBehind, checkStore, leftovers, ownMongod } from '@rhizome/testkit';
import { processesWith } from './processes.js';

/** Systems at whose history somebody has looked since they were last started. */
const looked = new Set<string>();

/** A system starts to work on the data folder: its history must be checked again. */
export function recordHistory(data: string): void {
  looked.delete(data);
}

/**
 * Starts the store of a system whose services a story runs itself; it is looked at, and ends, with the file.
 */
export async function startStore(data: string, members: 1 | 3 = 1): Promise<RunningMongod> {
  const mongod = await ownMongod({ dataDir: folderOf(data), members });
  leftovers.defer('the store of a system', () => mongod.stop().finally(() => looked.add(data)));
  return mongod;
}

/**
 * Looks at the history while the system's store runs. It has no effect where it does not, nor where somebody
 * has looked since the system was started: its store may be ending.
 */
export async function checkWhileRunning(data: string): Promise<void> {
  if (looked.has(data)) return;
  const isRunning = processesWith(folderOf(data)).some(({ commandLine }) => commandLine.includes('--dbpath'));
  const uri = await readFile(join(folderOf(data), 'uri'), 'utf8').catch(() => undefined);
  if (!isRunning || uri === undefined) return;
  looked.add(data);
  await checkStore(uri.trim());
}

/** Looks at what a system left behind that ended before anybody had looked. */
export async function checkAfterEnd(data: string): Promise<void> {
  if (!looked.has(data) && existsSync(folderOf(data))) await checkLeftBehind(folderOf(data));
}

const folderOf = (data: string): string => join(data, 'mongo');
