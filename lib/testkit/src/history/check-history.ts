/** Final check of every database with jobs: its history keeps all promises. */
import { silentLogger } from '@rhizome/log';
import { connectMongo, serverDatabases, startMongod } from '@rhizome/mongo';
import type { TestDatabase } from '../test-database.types.js';
import { exemptChecks } from './exemptions.js';
import { loadHistory } from './load-history.js';
import { type Finding, findingsOf, textOf } from './promises.js';
import { recordsOf } from './records.js';

/**
 * Facts that break a promise in a database; none without jobs.
 * @param folder folder of its store, if the store is not the shared one
 */
export async function brokenPromises(db: TestDatabase, folder?: string): Promise<readonly Finding[]> {
  const { since, answers } = recordsOf(db, folder);
  const history = await loadHistory(db, since, answers);
  return history ? findingsOf(history) : [];
}

/**
 * Checks the jobs of a database.
 * @throws Error with one line for each fact that breaks a promise, unless the test file leaves out its check
 */
export async function checkHistory(db: TestDatabase, folder?: string): Promise<void> {
  const exempt = exemptChecks();
  if (exempt === 'all') return;
  const findings = (await brokenPromises(db, folder)).filter(({ check }) => !exempt.has(check));
  if (findings.length > 0) throw new Error(`the history breaks promises:\n${textOf(findings)}`);
}

/**
 * Checks all databases of a store.
 * @param folder folder of the store, if it is not the shared one
 * @throws Error that names the database, and what is wrong
 */
export async function checkStore(uri: string, folder?: string): Promise<void> {
  const client = await connectMongo({ uri, appName: 'checker', serverSelectionTimeoutMs: 60_000 });
  try {
    const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
    for (const { name } of databases.filter((one) => !serverDatabases.has(one.name)))
      await checkHistory(client.db(name), folder).catch((error: unknown) => {
        throw new Error(`in the database ${name}: ${String(error)}`, { cause: error });
      });
  } finally {
    await client.close();
  }
}

/** Checks what a store of one member left behind in its folder. */
export async function checkLeftBehind(dataDir: string): Promise<void> {
  const mongod = await startMongod({ dataDir, log: silentLogger() });
  try {
    await checkStore(mongod.uri, dataDir);
  } finally {
    await mongod.stop();
  }
}
