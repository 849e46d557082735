/** A real core behind a real gateway with identities, in this process. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createIds, systemClock } from '@rhizome/clock';
import { buildCore, type CoreOptions } from '@rhizome/core';
import {
  buildGateway,
  createGatewayVerifier,
  createInProcessTransport,
  type GatewayOptions,
  readManifest,
  serveGateway,
  type ServeGatewayOptions,
} from '@rhizome/gateway';
import { type Identity, type IdentityOptions, openIdentity } from '@rhizome/identity';
import { silentLogger } from '@rhizome/log';
import { createInProcess } from '@rhizome/subgraph';
import {
  answersCountFor,
  leftovers,
  type TestDatabase,
  testDatabase,
  testMongo,
  testTokens,
} from '@rhizome/testkit';
import type { Api } from './api.js';
import { root } from './playground-system.js';

/** Options of {@link startIdentitySystem}. */
export interface IdentitySystemOptions
  extends
    Partial<Pick<IdentityOptions, 'attemptSeconds' | 'storages' | 'log'>>,
    Pick<ServeGatewayOptions, 'port' | 'tls'> {
  /** A folder for its key. */
  readonly folder: string;
  readonly core?: Pick<CoreOptions, 'config'>;
  readonly gateway?: Partial<GatewayOptions>;
}

/** A running system. */
export interface IdentitySystem {
  readonly url: string;
  /** Token of an administrator. */
  readonly admin: string;
  readonly identity: Identity;
  readonly databases: { readonly core: TestDatabase; readonly identity: TestDatabase };
}

/** Registers the experiment `alpha`, and creates the queue `north`. @param api as the administrator */
export async function prepareWork(api: Pick<Api, 'change'>): Promise<void> {
  await api.change('registerExperiment', { name: 'alpha', title: 'Alpha' });
  await api.change('createQueue', { name: 'north', site: 'Pole' });
}

/** The clients of this repository may send only what their builds have registered; others send anything. */
function ownManifests(): Pick<GatewayOptions, 'persistedOperations'> {
  const manifests = ['cli', 'dashboard', 'executor', 'pilot'].map((name) => {
    const file = join(root, 'clients', name, 'dist', 'operation-manifest.json');
    return { client: `rhizome-${name}`, only: true, operations: readManifest(file) };
  });
  return { persistedOperations: { manifests } };
}

/** Starts the system; it ends with the file. The tokens of a test are those of an issuer of its own. */
export async function startIdentitySystem(options: IdentitySystemOptions): Promise<IdentitySystem> {
  const { folder, attemptSeconds, storages, port = 0, tls, log = silentLogger() } = options;
  const tokens = await testTokens();
  const { uri: mongoUri } = await testMongo();
  const databases = { core: await testDatabase('core'), identity: await testDatabase('identity') };
  const identity = await openIdentity({
    ...{ mongoUri, database: databases.identity.databaseName, keyFile: join(folder, 'key'), log },
    issuer: port === 0 ? 'https://rhizome.test' : `http://127.0.0.1:${port}`,
    ...{ storages, ...(attemptSeconds !== undefined && { attemptSeconds }) },
  });
  const core = buildCore({ db: databases.core, clock: systemClock, ids: createIds(), log, ...options.core });
  await core.start();
  const inProcess = createInProcess({ subgraph: core.subgraph, log });
  const gateway = await buildGateway({
    supergraphSdl: await readFile(join(root, 'schema', 'supergraph.graphql'), 'utf8'),
    transports: () => createInProcessTransport(inProcess),
    verifier: createGatewayVerifier({
      issuers: [{ ...tokens.trusted, alias: 'test', roles: ['ADMIN'], experiments: '*' }],
      identity,
    }),
    identity,
    log,
    planning: 'inline',
    ...ownManifests(),
    ...options.gateway,
  });
  const served = await serveGateway(gateway, { port, tls });
  answersCountFor(databases.core.databaseName, served);
  leftovers.defer('the system', async () => {
    await served.close(500);
    await core.stop();
    await identity.close();
  });
  return { url: served.url, admin: await tokens.admin(), identity, databases };
}
