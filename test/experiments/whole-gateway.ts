/** Parts of a gateway next to the graph: a schema registry, an audit log, and identities of its own. */
import { join } from 'node:path';
import { accessTokenKinds, createVerifier, roles } from '@rhizome/authz';
import { type GatewayOptions, putBaseline } from '@rhizome/gateway';
import { openAgents } from '@rhizome/agents';
import { type Identity, openIdentity } from '@rhizome/identity';
import { silentLogger } from '@rhizome/log';
import { type FoundSubgraph, gatewaySubgraph } from '@rhizome/schema';
import { leftovers, testDatabase, testMongo, type TestTokens } from '@rhizome/testkit';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { testAudit } from '../e2e/system/test-audit.js';

/** Options of a gateway, and its identities. */
export interface WholeGateway {
  readonly options: Pick<GatewayOptions, 'registry' | 'audit' | 'agents' | 'identity' | 'verifier'>;
  readonly identity: Identity;
}

/** Address of a subgraph in the registry; nothing listens there. */
export const registeredAddress = (name: string): string => `http://${name}.test/graphql`;

/**
 * Opens them, each in a database of its own, with the subgraphs in the registry. They end with the file. The
 * gateway also accepts the tokens of the test.
 */
export async function wholeGateway(
  found: readonly FoundSubgraph[],
  root: string,
  tokens: TestTokens,
): Promise<WholeGateway> {
  const log = silentLogger();
  const folder = await temporaryFolder('whole-gateway');
  const { uri: mongoUri } = await testMongo();
  const named = async (name: string): Promise<string> => (await testDatabase(name)).databaseName;
  const database = await named('gateway');
  const subgraphs = [...found, gatewaySubgraph(root)].map(({ name, sdl, manifest }) => ({
    ...{ name, sdl, url: registeredAddress(name), typePrefix: manifest?.typePrefix ?? null },
  }));
  await putBaseline({ mongoUri, database, subgraphs, log });
  const { audit } = await testAudit();
  const identity = await openIdentity({
    ...{ mongoUri, database: await named('identity'), keyFile: join(folder, 'key'), log },
    issuer: 'https://rhizome.test',
  });
  leftovers.defer('the identities', () => identity.close());
  const agents = await openAgents({ mongoUri, database, openLimit: 1000 }, { log });
  leftovers.defer('the proposals', () => agents.close());
  const { trusted, revocations, people } = identity;
  // The subjects of the test keep their names; those of the own issuer get a prefix.
  const kinds = [...accessTokenKinds, 'WORKER', 'ATTEMPT'] as const;
  const own = { ...trusted, alias: 'own', kinds, roles, experiments: '*' } as const;
  const issuers = [own, tokens.trusted];
  const verifier = createVerifier({ issuers, kinds, revocations, people });
  return { options: { registry: { mongoUri, database }, audit, agents, identity, verifier }, identity };
}
