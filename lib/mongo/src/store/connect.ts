import { DomainError, registerErrorTranslator } from '@rhizome/errors';
import { scrubText } from '@rhizome/log';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { refuseClosingSockets } from './closing-sockets.js';
import { storeUnreachable } from './unreachable.js';

/** Options of a connection. */
export interface ConnectOptions {
  /** A connection string of a replica set or a sharded cluster. */
  readonly uri: string;
  /** Stands in the server's log and in its list of operations. */
  readonly appName: string;
  /** Largest number of connections to each server; the driver's 100 unless given. */
  readonly maxPoolSize?: number;
  /** Server selection timeout, also of later operations, in milliseconds; default 10,000. */
  readonly serverSelectionTimeoutMs?: number;
  /** Further options of the driver. */
  readonly driver?: Omit<MongoClientOptions, 'writeConcern' | 'appName'>;
}

/**
 * Connects, with majority writes: what was acknowledged survives the loss of the primary. Fields that are
 * `undefined` are not stored.
 * @throws DomainError SERVICE_UNAVAILABLE when no server answers, CONFIG_INVALID when the server is no
 *   replica set.
 */
export async function connectMongo(options: ConnectOptions): Promise<MongoClient> {
  refuseClosingSockets();
  registerErrorTranslator(storeUnreachable);
  const { uri, appName, maxPoolSize, serverSelectionTimeoutMs = 10_000, driver } = options;
  let client: MongoClient | undefined;
  try {
    client = new MongoClient(uri, {
      ignoreUndefined: true,
      serverSelectionTimeoutMS: serverSelectionTimeoutMs,
      ...(maxPoolSize ? { maxPoolSize } : {}),
      ...driver,
      appName,
      writeConcern: { w: 'majority' },
    });
    await client.connect();
    await requireReplication(client);
    return client;
  } catch (error) {
    await client?.close();
    if (error instanceof DomainError) throw error;
    const place = scrubText(uri);
    throw new DomainError(
      'SERVICE_UNAVAILABLE',
      `MongoDB at ${place} cannot be reached: ${scrubText(String(error))}`,
      {
        field: 'mongoUri',
        value: place,
        expected: 'a reachable replica set',
      },
    );
  }
}

async function requireReplication(client: MongoClient): Promise<void> {
  const hello = await client.db('admin').command({ hello: 1 });
  if (hello['setName'] !== undefined || hello['msg'] === 'isdbgrid') return;
  throw new DomainError(
    'CONFIG_INVALID',
    'mongoUri: the server is a single mongod without a replica set; change streams need one',
    {
      field: 'mongoUri',
      expected: 'a replica set (one member is enough) or a sharded cluster',
    },
  );
}
