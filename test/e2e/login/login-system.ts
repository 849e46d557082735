/** A gateway with a store of identities, a core, and a real issuer at which people log in. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerifier } from '@rhizome/authz';
import { createIds, systemClock } from '@rhizome/clock';
import { buildCore } from '@rhizome/core';
import { buildGateway, createInProcessTransport, type GatewayOptions, serveGateway } from '@rhizome/gateway';
import { type Identity, openIdentity } from '@rhizome/identity';
import { silentLogger } from '@rhizome/log';
import { createInProcess } from '@rhizome/subgraph';
import { leftovers, testDatabase, testMongo, testTokens } from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { type Api, apiOf } from '../system/api.js';
import { root } from '../system/playground-system.js';

/** A running system. */
export interface LoginSystem {
  /** A folder of its own. */
  readonly data: string;
  readonly url: string;
  /** The issuer at which people log in, `institute`. */
  readonly institute: TestIssuer;
  readonly identity: Identity;
  /** As the administrator. */
  readonly api: Api;
}

/** Settings of {@link startLoginSystem}. */
export interface LoginSystemOptions {
  readonly gateway?: Partial<GatewayOptions>;
  /** Address of the gateway, known before it starts. */
  readonly port?: number;
  readonly redirectUris?: readonly string[];
}

/** The experiment in which people of the institute are users. */
export const experiment = 'alpha';

/** Starts the system; it ends with the file. */
export async function startLoginSystem(options: LoginSystemOptions = {}): Promise<LoginSystem> {
  const data = await mkdtemp(join(tmpdir(), 'rhizome-login-'));
  leftovers.defer(data, () => rm(data, { recursive: true, force: true }));
  const log = silentLogger();
  const { redirectUris = [], port = 0 } = options;
  const institute = await testIssuer({ redirectUris });
  const tokens = await testTokens();
  const { uri: mongoUri } = await testMongo();
  const { databaseName: database } = await testDatabase('identity');
  const keyFile = join(data, 'key');
  const issuer = port === 0 ? 'https://rhizome.test' : `http://127.0.0.1:${port}`;
  const identity = await openIdentity({ mongoUri, database, keyFile, issuer, log });
  const core = buildCore({ db: await testDatabase('core'), clock: systemClock, ids: createIds(), log });
  await core.start();
  const inProcess = createInProcess({ subgraph: core.subgraph, log });
  const gateway = await buildGateway({
    supergraphSdl: await readFile(join(root, 'schema', 'supergraph.graphql'), 'utf8'),
    transports: () => createInProcessTransport(inProcess),
    verifier: createVerifier({
      issuers: [identity.trusted, { ...tokens.trusted, alias: 'test', roles: ['ADMIN'], experiments: '*' }],
      kinds: ['USER', 'SERVICE', 'AGENT', 'WORKER'],
      revocations: identity.revocations,
    }),
    identity,
    log,
    planning: 'inline',
    ...options.gateway,
  });
  const served = await serveGateway(gateway, { port });
  leftovers.defer('the system', async () => {
    await served.close(500);
    await core.stop();
    await identity.close();
  });
  const api = apiOf(served.url, await tokens.admin());
  await api.data(
    `mutation { registerExperiment(input: { name: "${experiment}", title: "Alpha" }) { userErrors { message } } }`,
  );
  const { setTokenIssuer } = await api.data<{ setTokenIssuer: { userErrors: readonly object[] } }>(
    'mutation ($input: SetTokenIssuerInput!) { setTokenIssuer(input: $input) { userErrors { message } } }',
    { input: recordOf(institute) },
  );
  if (setTokenIssuer.userErrors.length > 0) throw new Error(JSON.stringify(setTokenIssuer.userErrors));
  return { data, url: served.url, institute, identity, api };
}

function recordOf({ issuer, audience, publicClient }: TestIssuer): object {
  return {
    name: 'institute',
    issuer,
    profile: 'OIDC',
    audiences: [audience],
    experiments: [experiment],
    login: { clientId: publicClient, scopes: ['openid', 'profile'] },
    rules: [{ name: 'users', isForEveryone: true, grants: [{ experiment, roles: ['USER'] }] }],
  };
}
