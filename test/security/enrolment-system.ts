/** A real core behind a real gateway with identities: workers can enrol. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerifier } from '@rhizome/authz';
import { createIds, systemClock } from '@rhizome/clock';
import { buildCore } from '@rhizome/core';
import {
  buildGateway,
  createInProcessTransport,
  serveGateway,
  type ServeGatewayOptions,
} from '@rhizome/gateway';
import { openIdentity } from '@rhizome/identity';
import { silentLogger } from '@rhizome/log';
import { createInProcess } from '@rhizome/subgraph';
import { leftovers, testDatabase, testMongo, testTokens } from '@rhizome/testkit';
import { root } from '../e2e/system/playground-system.js';

/** A system in this process. */
export interface EnrolmentSystem {
  readonly url: string;
  /** Token of an administrator. */
  readonly admin: string;
  /** A folder of its own. */
  readonly folder: string;
}

const log = silentLogger();

/** Starts the system; it is closed at the end of the file. */
export async function startEnrolmentSystem(tls?: ServeGatewayOptions['tls']): Promise<EnrolmentSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-enrolment-'));
  leftovers.defer('the folder', () => rm(folder, { recursive: true, force: true }));
  const tokens = await testTokens();
  const { uri: mongoUri } = await testMongo();
  const { databaseName: database } = await testDatabase('identity');
  const keyFile = join(folder, 'key');
  const identity = await openIdentity({ mongoUri, database, keyFile, issuer: 'https://rhizome.test', log });
  const core = buildCore({ db: await testDatabase('core'), clock: systemClock, ids: createIds(), log });
  await core.start();
  const inProcess = createInProcess({ subgraph: core.subgraph, log });
  const gateway = await buildGateway({
    supergraphSdl: await readFile(join(root, 'schema', 'supergraph.graphql'), 'utf8'),
    transports: () => createInProcessTransport(inProcess),
    verifier: createVerifier({
      issuers: [identity.trusted, { ...tokens.trusted, alias: 'test', roles: ['ADMIN'], experiments: '*' }],
      kinds: ['USER', 'WORKER'],
      revocations: identity.revocations,
    }),
    identity,
    log,
    planning: 'inline',
  });
  const served = await serveGateway(gateway, { port: 0, tls });
  leftovers.defer('the system', async () => {
    await served.close(500);
    await core.stop();
    await identity.close();
  });
  return { url: served.url, admin: await tokens.admin(), folder };
}
