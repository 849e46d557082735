import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { createLogger, silentLogger } from '@rhizome/log';
import { connectMongo, openMongo, type RunningMongod, startMongod, type StartOptions } from '@rhizome/mongo';
import { storeOffer } from './config.js';
import { checkHistory, checkStore } from './history/check-history.js';
import { storeTimeOf } from './history/load-history.js';
import { recordBeginning } from './history/records.js';
import { leftovers } from './leftovers.js';
import { makeStoreFolder } from './store-folder.js';
import type { CommandStarted, TestClient, TestDatabase } from './test-database.types.js';

/** A real replica set of one member. */
export interface TestMongo {
  readonly uri: string;
  /** Connected; closed at the end of the file. */
  readonly client: TestClient;
}

let opened: Promise<TestMongo> | undefined;
const ports = new Set<number>();

/** Ports of the stores this file talks to. */
export function storePorts(): ReadonlySet<number> {
  return ports;
}

/**
 * The replica set that all test files of a run share; outside of a run, one of this process' own. What breaks
 * a server starts its own by {@link ownMongod} instead.
 */
export function testMongo(): Promise<TestMongo> {
  return (opened ??= open());
}

async function open(): Promise<TestMongo> {
  const uri = await storeUri();
  for (const [, port] of uri.matchAll(/:(\d+)(?=[,/])/g)) ports.add(Number(port));
  const client = await connectMongo({
    uri,
    appName: 'tests',
    maxPoolSize: 20,
    driver: { monitorCommands: true },
  });
  leftovers.defer('the Mongo client of testMongo', async () => {
    opened = undefined;
    await client.close();
  });
  return { uri, client };
}

async function storeUri(): Promise<string> {
  const offer = storeOffer();
  if (offer === undefined) return ownStore();
  const { status, text } = await ask(offer);
  if (status !== 200) throw new Error(`the store of this test run cannot be had: ${text}`);
  return text;
}

/** Asks on a connection of its own that is gone afterwards. */
async function ask(address: string): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const [response] = (await once(get(address, { agent: false }), 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode, text: Buffer.concat(chunks).toString('utf8') };
}

async function ownStore(): Promise<string> {
  const dataDir = await makeStoreFolder();
  leftovers.defer('the data of testMongo', () => rm(dataDir, { recursive: true, force: true }));
  const log = createLogger({ name: 'tests', level: 'warn' });
  return leftovers.use(await openMongo({ dataDir, oplogSizeMiB: 128, log }), 'the mongod of testMongo').uri;
}

/**
 * A database of its own, with a random name; looked at by {@link checkHistory} and dropped at the end of the
 * file.
 */
export async function testDatabase(name = 'test'): Promise<TestDatabase> {
  const { client } = await testMongo();
  const db = client.db(`${name}_${randomBytes(6).toString('hex')}`);
  recordBeginning(db, await storeTimeOf(db));
  leftovers.defer(`the database ${db.databaseName}`, async () => {
    try {
      await checkHistory(db);
    } finally {
      await db.dropDatabase();
    }
  });
  return db;
}

/**
 * A replica set that a test may break, or that is to be unlike the shared one. It ends with the file, or
 * before; what its jobs were given is looked at then.
 * @param options its folder is a new one unless given
 */
export async function ownMongod(options: Partial<StartOptions> = {}): Promise<RunningMongod> {
  const dataDir = options.dataDir ?? (await makeStoreFolder());
  if (options.dataDir === undefined)
    leftovers.defer('the data of a mongod', () => rm(dataDir, { recursive: true, force: true }));
  const mongod = await startMongod({ log: silentLogger(), ...options, dataDir });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopped ??= checkStore(mongod.uri, dataDir).finally(() => mongod.stop()));
  leftovers.defer('a mongod of its own', stop);
  return { ...mongod, stop };
}

/**
 * Commands that `run` sends to the store by this file's client, in their order. What other code does
 * meanwhile, such as a task in the background, is not among them.
 */
export async function commandsDuring(run: () => Promise<unknown>): Promise<readonly CommandStarted[]> {
  const { client } = await testMongo();
  const commands: CommandStarted[] = [];
  // The driver emits the event in the asynchronous context of its caller.
  const caller = new AsyncLocalStorage<object>();
  const record = (event: CommandStarted): void => {
    if (caller.getStore() === commands) commands.push(event);
  };
  client.on('commandStarted', record);
  try {
    await caller.run(commands, run);
  } finally {
    client.off('commandStarted', record);
    // One in use costs all promises of the process.
    caller.disable();
  }
  return commands;
}

/** Address of one server by its port, with the user of another address. */
export function directUri(uri: string, port: number): string {
  return uri.replace(/@[^/]+/, `@127.0.0.1:${port}`).replace(/replicaSet=[^&]+/, 'directConnection=true');
}

/** Counts the reads that `run` sends to the store by this file's client. */
export async function countReads(run: () => Promise<unknown>): Promise<number> {
  const commands = await commandsDuring(run);
  return commands.filter(({ commandName }) => commandName === 'find' || commandName === 'aggregate').length;
}
