import { processEnvironment } from './config.js';
import type { UserDatabases } from './server/access.js';
import { startMongod, type RunningMongod, type StartOptions } from './server/start.js';

/** A store to connect to: one that is run elsewhere, or an embedded one. */
export interface OpenedMongo {
  readonly uri: string;
  /** The embedded replica set; absent when `MONGODB_URI` named one. */
  readonly embedded?: RunningMongod;
  /**
   * Connection strings of services that each use databases of their own; for a store that is run elsewhere,
   * `MONGODB_URI` for all.
   */
  users<Name extends string>(databases: UserDatabases<Name>): Promise<Readonly<Record<Name, string>>>;
  /** Ends the embedded replica set; does nothing for one that is run elsewhere. */
  stop(): Promise<void>;
}

/**
 * The store that `MONGODB_URI` names, or an embedded replica set.
 * @throws DomainError MONGOD_UNAVAILABLE
 */
export async function openMongo(options: StartOptions): Promise<OpenedMongo> {
  const uri = (options.env ?? processEnvironment())['MONGODB_URI'];
  if (uri)
    return {
      uri,
      users: (databases) => Promise.resolve(sameFor(uri, databases)),
      stop: () => Promise.resolve(),
    };
  const embedded = await startMongod(options);
  return {
    uri: embedded.uri,
    embedded,
    users: (databases) => embedded.users(databases),
    stop: () => embedded.stop(),
  };
}

function sameFor<Name extends string>(
  uri: string,
  databases: UserDatabases<Name>,
): Readonly<Record<Name, string>> {
  return Object.fromEntries(Object.keys(databases).map((name) => [name, uri])) as Record<Name, string>;
}
