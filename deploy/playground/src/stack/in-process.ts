/** Core, the experiments and the gateway in this process: no network hop, no serialisation. */
import { join } from 'node:path';
import { type Agents, openAgents } from '@rhizome/agents';
import { openAudit } from '@rhizome/audit';
import type { CurrentRights } from '@rhizome/authz';
import { dashboardPages } from '@rhizome/dashboard';
import { type Core, buildCore, masterKeysOf } from '@rhizome/core';
import type { ExperimentService } from '@rhizome/experiment';
import {
  buildGateway,
  builtPages,
  createGatewayVerifier,
  createInProcessTransport,
  EndpointPolicy,
  type Gateway,
  mcpSettings,
  overNetwork,
  serveGateway,
} from '@rhizome/gateway';
import { createClient } from '@rhizome/client';
import { createIds, systemClock } from '@rhizome/clock';
import { type Identity, openIdentity } from '@rhizome/identity';
import { connectMongo } from '@rhizome/mongo';
import { type ExperimentManifest, inProcessUrl } from '@rhizome/schema/repository';
import { type InProcessSubgraph, type SubgraphSchema, createInProcess } from '@rhizome/subgraph';
import { executionMode, isAuditOn } from '../config.js';
import { credentialFolder } from '../services/file-service.js';
import { Shutdown } from '../shutdown.js';
import { loadExperiment } from './experiment-module.js';
import { lazyClient } from './lazy-client.js';
import {
  auditFolder,
  identityKeyFile,
  registerFound,
  type RunningStack,
  type StackOptions,
  type StoreAddresses,
} from './stack.js';

type Db = ReturnType<Awaited<ReturnType<typeof connectMongo>>['db']>;

/** Components that exist before the gateway has an address. */
interface Parts {
  readonly uriOf: StoreAddresses;
  readonly ids: ReturnType<typeof createIds>;
  readonly shutdown: Shutdown;
  /** The services of identity, which open while core and the experiments start. */
  readonly identity: Promise<Identity>;
  /** Address of the gateway, once it is known. */
  url: string;
}

/** Time that the gateway waits for running operations at shutdown, in milliseconds. */
const drainMs = 1_000;

/**
 * Starts the stack; resolves when the gateway serves and the experiments follow core's events.
 * @throws if a part cannot be started; then nothing is left running
 */
export async function startInProcess(options: StackOptions): Promise<RunningStack> {
  const shutdown = new Shutdown();
  try {
    return await start(options, shutdown);
  } catch (error) {
    await shutdown.run(options.log);
    throw error;
  }
}

async function start(options: StackOptions, shutdown: Shutdown): Promise<RunningStack> {
  const { subgraphs, port, log } = options;
  const uriOf = await options.store;
  const mongoUri = uriOf('gateway');
  const services = openServices(options, mongoUri, shutdown);
  const parts: Parts = { uriOf, ids: createIds(), shutdown, identity: services.identity, url: '' };
  const registered = registerFound(
    subgraphs.map((one) => ({ ...one, url: inProcessUrl(one.name) })),
    { mongoUri, log },
  );
  const [core, experiments] = await Promise.all([
    startCore(options, parts),
    Promise.all(
      subgraphs.flatMap(({ manifest }) => (manifest ? [buildExperiment(options, parts, manifest)] : [])),
    ),
    registered,
  ]);
  const schemas = [core.subgraph, ...experiments.map(({ subgraph }) => subgraph)];
  const gateway = await buildOwnGateway(options, { mongoUri, schemas, services });
  shutdown.add('the gateway', () => gateway.close());
  const served = await serveGateway(gateway, { port });
  shutdown.add("the gateway's server", () => served.close(drainMs));
  parts.url = served.url;
  await Promise.all(
    experiments.map(async (experiment) => {
      shutdown.add('an experiment', () => experiment.stop());
      await experiment.start();
    }),
  );
  const stop = () => shutdown.run(log);
  return { url: served.url, wsUrl: served.wsUrl, origin: served.origin, pids: {}, stop };
}

/** Services of the gateway that open while core and the experiments start. */
interface GatewayServices {
  readonly identity: Promise<Identity>;
  /** Undefined if the audit log is off. */
  readonly audit: ReturnType<typeof openAudit> | undefined;
  readonly agents: Promise<Agents>;
}

/** Address of the gateway, where its own issuer is. */
const issuerOf = ({ port }: Pick<StackOptions, 'port'>): string => `http://127.0.0.1:${port}`;

function openServices(
  { data, port, log: parent }: StackOptions,
  mongoUri: string,
  shutdown: Shutdown,
): GatewayServices {
  const log = parent.child({ service: 'gateway' });
  const issuer = issuerOf({ port });
  const identity = openIdentity({ mongoUri, issuer, keyFile: identityKeyFile(data), log });
  const audit = isAuditOn() ? openAudit({ mongoUri, folder: auditFolder(data) }, { log }) : undefined;
  return {
    identity: closedAtEnd('the identities', identity, shutdown),
    audit: audit && closedAtEnd('the audit log', audit, shutdown),
    agents: closedAtEnd('the proposals', openAgents({ mongoUri }, { log }), shutdown),
  };
}

interface GatewayParts {
  readonly mongoUri: string;
  readonly schemas: readonly SubgraphSchema[];
  readonly services: GatewayServices;
}

async function buildOwnGateway(
  options: StackOptions,
  { mongoUri, schemas, services }: GatewayParts,
): Promise<Gateway> {
  const { calls, trusted } = options.identities;
  const reached = reach(schemas, options);
  const identity = await services.identity;
  // Subgraphs of this machine may be added, and public ones; nothing else of the network around it is called.
  const endpoints = new EndpointPolicy([], { isLocal: true });
  return buildGateway({
    calls,
    endpoints,
    mcp: mcpSettings({ url: `${issuerOf(options)}/mcp`, issuers: [trusted], identity }),
    registry: { mongoUri },
    transports: (name, url) =>
      url === inProcessUrl(name)
        ? createInProcessTransport(reached(name))
        : overNetwork(name, { url, calls, endpoints }),
    verifier: createGatewayVerifier({ issuers: [trusted], identity }),
    identity,
    audit: await services.audit,
    agents: await services.agents,
    log: options.log.child({ service: 'gateway' }),
    staticRoot: builtPages,
    dashboardRoot: dashboardPages,
    fileOrigins: options.fileOrigins,
  });
}

/** Closes at the end what opens while other parts start. */
function closedAtEnd<T extends { close(): Promise<unknown> }>(
  what: string,
  opening: Promise<T>,
  shutdown: Shutdown,
): Promise<T> {
  // A failure is reported where the result is needed.
  opening.catch(() => undefined);
  shutdown.add(what, async () => (await opening.catch(() => undefined))?.close());
  return opening;
}

/** Opens a database as the user of its service. */
async function openDatabase({ uriOf, shutdown }: Parts, service: string, database: string): Promise<Db> {
  const mongo = await connectMongo({ uri: uriOf(service), appName: `rhizome-${service}` });
  shutdown.add(`the connection of ${service} to the store`, () => mongo.close());
  return mongo.db(database);
}

/** Rights of callers for core, which starts before the services of identity are open. */
function rightsOf(identity: Promise<Identity>): CurrentRights {
  return { of: async (holder, checkedAt) => (await identity).rights.of(holder, checkedAt) };
}

async function startCore({ log, data }: StackOptions, parts: Parts): Promise<Core> {
  const { ids, shutdown, identity } = parts;
  const keys = await masterKeysOf({ masterKeyFile: join(data, 'secrets.keys') });
  const core = buildCore({
    db: await openDatabase(parts, 'core', 'core'),
    clock: systemClock,
    ids,
    log: log.child({ service: 'core' }),
    config: { secrets: { keys }, files: { credentialFolder: credentialFolder(data) } },
    rights: rightsOf(identity),
  });
  shutdown.add('core', () => core.stop());
  await core.start();
  return core;
}

async function buildExperiment(
  { identities, log }: StackOptions,
  parts: Parts,
  manifest: ExperimentManifest,
): Promise<ExperimentService> {
  const { name, database } = manifest;
  const db = await openDatabase(parts, name, database);
  const client = lazyClient(() => createClient({ url: parts.url, token: () => identities.service(name) }));
  parts.shutdown.add(`the client of ${name}`, () => client.close());
  const module = await loadExperiment(manifest);
  return module.build({
    db,
    clock: systemClock,
    ids: parts.ids,
    log: log.child({ service: name }),
    core: client,
  });
}

function reach(
  schemas: readonly SubgraphSchema[],
  { log }: StackOptions,
): (name: string) => InProcessSubgraph {
  const mode = executionMode();
  const callable = new Map(
    schemas.map((subgraph) => {
      const { name } = subgraph;
      return [name, createInProcess({ subgraph, log: log.child({ service: name }), mode })];
    }),
  );
  return (name) => {
    const subgraph = callable.get(name);
    if (!subgraph) throw new Error(`Subgraph "${name}" of the supergraph does not run in this process.`);
    return subgraph;
  };
}
