import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createLogger } from '@rhizome/log';
import { type OpenedMongo, openMongo } from '@rhizome/mongo';
import { offerStore } from '../config.js';
import { checkStore } from '../history/check-history.js';
import { makeStoreFolder } from '../store-folder.js';

/** Ends what the set-up has started; jest calls it in the same process. */
let tearDown: () => Promise<void> = () => Promise.resolve();

/**
 * Before the first integration test: offers one replica set to all test files of this run, at an address that
 * workers ask. It is started when the first of them asks, and ends with the run.
 */
export default async function globalSetup(): Promise<void> {
  const folder = await makeStoreFolder();
  const dataDir = join(folder, 'mongo');
  const log = createLogger({ name: 'tests', level: 'warn', destination: process.stderr });
  let opening: Promise<OpenedMongo> | undefined;
  let lost: string | undefined;
  const onUnexpectedExit = (reason: string): void => {
    lost = reason;
  };
  const server = createServer((_request, response) => {
    // A run makes and drops some 20,000 collections and indexes. With mongod's longer history it holds their
    // files open until it runs out of descriptors, and ends.
    const shortHistory = { snapshotHistorySeconds: 30, checkpointSeconds: 30 };
    opening ??= openMongo({ dataDir, oplogSizeMiB: 128, ...shortHistory, log, onUnexpectedExit });
    opening.then(
      ({ uri }) => (lost === undefined ? response.end(uri) : response.writeHead(500).end(lost)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  offerStore(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  tearDown = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    try {
      if (lost === undefined) await opening?.then(end, () => undefined);
      else fail(`The store of the integration tests was lost: ${lost}\n${await endOfLog(dataDir)}`);
    } catch (error) {
      fail(String(error));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

/** Fails the run. Jest writes no report of the tests if its tear-down throws. */
function fail(reason: string): void {
  process.stderr.write(`${reason}\n`);
  process.exitCode = 1;
}

/** The last lines that mongod has logged. */
async function endOfLog(dataDir: string): Promise<string> {
  const log = await readFile(join(dataDir, 'member-0', 'mongod.log'), 'utf8').catch(String);
  return log.trimEnd().split('\n').slice(-30).join('\n');
}

/** Databases that no file has dropped are looked at here. */
async function end(store: OpenedMongo): Promise<void> {
  try {
    // What is run elsewhere has others' databases.
    if (store.embedded) await checkStore(store.uri);
  } finally {
    await store.stop();
  }
}

/** Jest's global tear-down. */
export async function globalTeardown(): Promise<void> {
  await tearDown();
}
