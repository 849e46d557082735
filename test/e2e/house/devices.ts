/** What every house ends with: a look at all that its jobs were given, wherever and however its services were started. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningMongod } from '@rhizome/mongo';
import { checkLeftBehind, checkStore, leftovers, ownMongod } from '@rhizome/testkit';
import { processesWith } from './processes.js';

/** Houses at whose history somebody has looked since they were last started. */
const looked = new Set<string>();

/** A house begins to work on the data folder: its history is to be looked at again. */
export function noteHistory(data: string): void {
  looked.delete(data);
}

/** Starts the store of a house whose services a story runs itself; it is looked at, and ends, with the file. */
export async function startStore(data: string, members: 1 | 3 = 1): Promise<RunningMongod> {
  const mongod = await ownMongod({ dataDir: folderOf(data), members });
  leftovers.defer('the store of a house', () => mongod.stop().finally(() => looked.add(data)));
  return mongod;
}

/**
 * Looks at the history while the house's store runs. It has no effect where it does not, nor where somebody has looked
 * since the house was started: its store may be ending.
 */
export async function checkWhileRunning(data: string): Promise<void> {
  if (looked.has(data)) return;
  const [running] = processesWith(folderOf(data)).filter(({ commandLine }) =>
    commandLine.includes('--dbpath'),
  );
  const port = / --port (\d+)/.exec(running?.commandLine ?? '')?.[1];
  if (port === undefined) return;
  looked.add(data);
  await checkStore(`mongodb://127.0.0.1:${port}/?directConnection=true`);
}

/** Looks at what a house left behind that ended before anybody had looked. */
export async function checkAfterEnd(data: string): Promise<void> {
  if (!looked.has(data) && existsSync(folderOf(data))) await checkLeftBehind(folderOf(data));
}

const folderOf = (data: string): string => join(data, 'mongo');
