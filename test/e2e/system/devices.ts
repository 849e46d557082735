/**
 * Check at the end of every system: the history of everything its jobs got, however its services were
 * started.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningMongod } from '@rhizome/mongo';
import {
  answersCountFor,
  checkLeftBehind,
  checkStore,
  forgetAnswers,
  leftovers,
  ownMongod,
} from '@rhizome/testkit';
import { processesWith } from './processes.js';

/** Systems whose history was checked since they were last started. */
const checked = new Set<string>();

/** Requires a new check of the history: a system starts to work on the data folder. */
export function requireHistoryCheck(data: string): void {
  checked.delete(data);
}

/**
 * Starts the store of a system whose services a story runs itself. At the end of the file it is checked and
 * stopped.
 */
export async function startStore(data: string, members: 1 | 3 = 1): Promise<RunningMongod> {
  const mongod = await ownMongod({ dataDir: folderOf(data), members });
  leftovers.defer('the store of a system', () => mongod.stop().finally(() => checked.add(data)));
  return mongod;
}

/**
 * Checks the history while the store of the system runs. It does nothing if the store does not run, or if the
 * history was checked since the system was started: the store may be about to stop.
 */
export async function checkWhileRunning(data: string): Promise<void> {
  if (checked.has(data)) return;
  const isRunning = processesWith(folderOf(data)).some(({ commandLine }) => commandLine.includes('--dbpath'));
  const uri = await readFile(join(folderOf(data), 'uri'), 'utf8').catch(() => undefined);
  if (!isRunning || uri === undefined) return;
  checked.add(data);
  await checkStore(uri.trim(), folderOf(data));
}

/** Checks what a system left behind if it ended without a check. */
export async function checkAfterEnd(data: string): Promise<void> {
  if (!checked.has(data) && existsSync(folderOf(data))) await checkLeftBehind(folderOf(data));
}

/** Adds the answers of a system's gateway to the history of its store. */
export function recordAnswersOf(url: string, data: string): void {
  answersCountFor(folderOf(data), { url });
}

/** The store of a system begins again without data. */
export function forgetAnswersOf(data: string): void {
  forgetAnswers(folderOf(data));
}

const folderOf = (data: string): string => join(data, 'mongo');
