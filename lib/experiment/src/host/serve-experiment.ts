/** A built experiment over HTTP and WebSocket, with its own connection to the store and to the gateway. */
import { readFile } from 'node:fs/promises';
import { callKeysPath, callVerifierOf } from '@rhizome/authz';
import { createClient } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { connectMongo } from '@rhizome/mongo';
import { type Readiness, serveSubgraph } from '@rhizome/subgraph';
import type { ExperimentModule, ExperimentService, Following } from '../module.js';
import type { ExperimentConfig } from './config.js';

/** An experiment that is served. */
export interface ServedExperiment {
  /** `http://…/graphql` */
  readonly url: string;
  /** Drains, ends the work, closes all connections. May be called twice. */
  stop(): Promise<void>;
}

type Mongo = Awaited<ReturnType<typeof connectMongo>>;

/**
 * Connects, builds, listens and starts. @throws DomainError SERVICE_UNAVAILABLE, PORT_TAKEN,
 * MIGRATION_FAILED, CONFIG_INVALID
 */
export async function serveExperiment(
  module: ExperimentModule,
  config: ExperimentConfig,
  log: Logger,
): Promise<ServedExperiment> {
  const keysUri = new URL(callKeysPath, config.gatewayUrl).href;
  const verifier = callVerifierOf(module.name, config.gatewayKeys, keysUri);
  const mongo = await connectMongo({ uri: config.mongoUri, appName: `rhizome-${module.name}` });
  const core = createClient({
    url: config.gatewayUrl,
    client: { name: module.name, version: 'unversioned' },
    token: async () => (await readFile(config.tokenFile, 'utf8')).trim(),
    onRetry: ({ operationName, attempt, error }) =>
      log.info({ operationName, attempt, code: error.code }, 'core is asked again'),
  });
  const closeAll = async (): Promise<void> => {
    await core.close();
    await mongo.close();
  };
  const db = mongo.db(config.database);
  const service = await module
    .build({ db, clock: systemClock, ids: createIds(), log, core })
    .catch((error: unknown) => closeAll().then(() => Promise.reject(error)));
  const stopAll = (): Promise<void> => service.stop().then(closeAll);
  await service.start();
  const served = await serveSubgraph({
    subgraph: service.subgraph,
    verifier,
    log,
    host: config.host,
    port: config.port,
    addressFile: config.addressFile,
    tls: config.tls,
    introspection: config.introspection,
    mode: config.execution,
    drainMs: config.drainSeconds * 1000,
    readiness: () => readinessOf(service, mongo, config),
  }).catch((error: unknown) => stopAll().then(() => Promise.reject(error)));
  let stopping: Promise<void> | undefined;
  return { url: served.url, stop: () => (stopping ??= served.close().then(stopAll)) };
}

/** Status for operators; dead letters are in the collection `parkedEvents`. */
function followingIn({ isOpen, deadLetters }: Following): string {
  return `${isOpen ? 'followed' : 'not followed'}${deadLetters > 0 ? `, ${deadLetters} unreadable events skipped` : ''}`;
}

/** Questions can be answered without core: whether it is followed is shown, and decides nothing. */
async function readinessOf(
  service: ExperimentService,
  mongo: Mongo,
  { database }: ExperimentConfig,
): Promise<Readiness> {
  const isReached = await mongo
    .db(database)
    .command({ ping: 1 }, { timeoutMS: 2000 })
    .then(
      () => true,
      () => false,
    );
  const following = service.following?.();
  const checks = {
    mongo: isReached ? 'reached' : 'not reached',
    work: service.ready() ? 'started' : 'not started',
    ...(following ? { events: followingIn(following) } : {}),
  };
  return { ready: isReached && service.ready(), checks };
}
