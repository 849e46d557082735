import { processEnvironment } from './config.js';
import { startMongod, type RunningMongod, type StartOptions } from './server/start.js';

/** A store to connect to: one that is run elsewhere, or an embedded one. */
export interface OpenedMongo {
  readonly uri: string;
  /** The embedded replica set; absent when `MONGODB_URI` named one. */
  readonly embedded?: RunningMongod;
  /** Ends the embedded replica set; does nothing for one that is run elsewhere. */
  stop(): Promise<void>;
}

/**
 * The store that `MONGODB_URI` names, or an embedded replica set.
 * @throws DomainError MONGOD_UNAVAILABLE
 */
export async function openMongo(options: StartOptions): Promise<OpenedMongo> {
  const uri = (options.env ?? processEnvironment())['MONGODB_URI'];
  if (uri) return { uri, stop: () => Promise.resolve() };
  const embedded = await startMongod(options);
  return { uri: embedded.uri, embedded, stop: () => embedded.stop() };
}
