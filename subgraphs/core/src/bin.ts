/**
 * Core process: reads its configuration, connects, serves over HTTP and WebSocket, and drains on SIGTERM and
 * SIGINT.
 */
import { writeFile } from 'node:fs/promises';
import {
  callVerifierOf,
  coreIssuer,
  createCallSigner,
  type CurrentRights,
  type Verifier,
} from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import { createLogger, type Logger, logUnhandledRejections } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { connectMongo } from '@rhizome/mongo';
import { serveSubgraph } from '@rhizome/subgraph';
import { collectDefaultMetrics } from 'prom-client';
import { masterKeysOf } from './composition/secrets.module.js';
import { buildCore, type Core } from './app.js';
import { RemoteRights } from './composition/remote-rights.js';
import { readConfig, shownConfig, type ProcessConfig } from './config.js';

type Mongo = Awaited<ReturnType<typeof connectMongo>>;

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ name: 'core', level: config.logLevel === 'fatal' ? 'error' : config.logLevel });
  logUnhandledRejections(log);
  log.info({ config: shownConfig(config) }, 'configuration');
  const verifier = callVerifierOf('core', config.gatewayKeys);
  const { count, bytes, rewrapSeconds } = config.secrets;
  const keys = await masterKeysOf(config.secrets);
  const rights = await rightsOf(config);
  const mongo = await connectMongo({ uri: config.mongoUri, appName: 'rhizome-core' });
  let ownUrl: string | undefined;
  const core = buildCore({
    db: mongo.db(config.database),
    clock: systemClock,
    ids: createIds(),
    log,
    config: {
      advertisedUrl: () => config.advertisedUrl ?? ownUrl,
      events: config.events,
      broker: config.broker,
      leaseClock: config.leaseClock,
      quotas: config.quotas,
      secrets: { keys, limits: { count, bytes }, rewrapEveryMs: rewrapSeconds * 1000 },
      files: config.files,
    },
    ...(rights && { rights }),
  });
  collectDefaultMetrics({ register: core.metrics.registry });
  const served = await serve(config, core, mongo, verifier, log);
  // An address that only this host can resolve is of no use to other hosts, but harmless if there are none.
  if (!isWildcard(config.host)) ownUrl = served.url;
  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'draining');
    // A worker may be waiting for work: it is answered at once, as it would delay the drain.
    await Promise.all([served.close(), core.handOver()]);
    await core.stop();
    await mongo.close();
    log.info('ended');
  };
  onEnd(stop, log);
  await core.start();
}

/** Source of the rights that callers have now, if one is configured. */
async function rightsOf({ rights: { url, keyFile } }: ProcessConfig): Promise<CurrentRights | undefined> {
  if (url === undefined || keyFile === undefined) return undefined;
  const signer = await createCallSigner({ keyFile, issuer: coreIssuer });
  await writeFile(`${keyFile}.jwks`, `${JSON.stringify(signer.jwks())}\n`);
  return new RemoteRights({ url, signer, clock: systemClock });
}

function serve(config: ProcessConfig, core: Core, mongo: Mongo, verifier: Verifier, log: Logger) {
  return serveSubgraph({
    subgraph: core.subgraph,
    verifier,
    log,
    host: config.host,
    port: config.port,
    addressFile: config.addressFile,
    tls: config.tls,
    introspection: config.introspection,
    mode: config.execution,
    drainMs: config.drainSeconds * 1000,
    metrics: { registry: core.metrics.registry, isOpen: config.openMetrics },
    readiness: async () => {
      const isReached = await mongo
        .db('admin')
        .command({ ping: 1 }, { timeoutMS: 2000 })
        .then(
          () => true,
          () => false,
        );
      const isFollowing = core.ready();
      const checks = {
        mongo: isReached ? 'reached' : 'not reached',
        events: isFollowing ? 'followed, counts known' : 'not followed',
      };
      return { ready: isReached && isFollowing, checks };
    },
  });
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Shuts down once, in order. A second signal ends the process at once. */
function onEnd(stop: (signal: string) => Promise<void>, log: Logger): void {
  let isEnding = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(1);
      isEnding = true;
      stop(signal).then(
        () => process.exit(0),
        (err: unknown) => {
          log.error({ err }, 'shutdown failed');
          process.exit(1);
        },
      );
    });
  }
}

main().catch((error: unknown) => {
  const text = isDomainError(error)
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
  process.stderr.write(`core: ${text}\n`);
  process.exit(1);
});
