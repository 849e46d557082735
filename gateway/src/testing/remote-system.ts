import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import { type ServedSubgraph, serveSubgraph, type SubgraphSchema } from '@rhizome/subgraph';
import { leftovers, type TestTokens, testTokens } from '@rhizome/testkit';
import { EventLog } from './event-log.js';
import { type TestSystemParts, testSubgraphs, testSupergraph } from './test-system.js';

/** A test system whose subgraphs are served over the network, for a gateway in its own process. */
export interface RemoteSystem extends TestSystemParts {
  readonly tokens: TestTokens;
  /** A supergraph file with the addresses in it. */
  readonly supergraphFile: string;
  /** Rewrites the supergraph file with a further field on the type Item. */
  rewriteSupergraph(extraField: string): Promise<void>;
  /** Settings of the issuer for the gateway's process. */
  readonly env: Readonly<Record<string, string>>;
  /** Stops a subgraph; started again, it listens on the same port. */
  stop(subgraph: string): Promise<void>;
  start(subgraph: string): Promise<void>;
}

/** Serves the subgraphs of a test system and the keys of its tokens. */
export async function startRemoteSystem(): Promise<RemoteSystem> {
  const tokens = await testTokens();
  const parts: TestSystemParts = {
    log: new EventLog(),
    state: { finishers: [] },
    slow: { waiting: 0, aborted: 0 },
    calls: new Map(),
  };
  const schemas = new Map(testSubgraphs(parts).map((subgraph) => [subgraph.name, subgraph]));
  const served = new Map<string, ServedSubgraph>();
  const start = async (name: string): Promise<void> => {
    const subgraph = schemas.get(name) as SubgraphSchema;
    const port = served.get(name)?.port ?? 0;
    served.set(
      name,
      await serveSubgraph({
        subgraph,
        verifier: tokens.callVerifier(name),
        log: silentLogger(),
        port,
        drainMs: 100,
      }),
    );
  };
  for (const name of schemas.keys()) await start(name);
  leftovers.defer('the subgraphs', () =>
    Promise.all([...served.values()].map((subgraph) => subgraph.close())),
  );
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-gateway-'));
  leftovers.defer('the folder of the supergraph', () => rm(folder, { recursive: true, force: true }));
  const supergraphFile = join(folder, 'supergraph.graphql');
  const rewriteSupergraph = (extraField: string): Promise<void> =>
    writeFile(
      supergraphFile,
      testSupergraph((name) => served.get(name)?.url ?? '', extraField),
    );
  await rewriteSupergraph('');
  const jwksUri = await serveKeys(tokens);
  return {
    ...parts,
    tokens,
    supergraphFile,
    rewriteSupergraph,
    env: {
      RHIZOME_GATEWAY_ISSUERS: JSON.stringify([{ issuer: tokens.trusted.issuer, jwksUri }]),
      RHIZOME_GATEWAY_CALL_KEY_FILE: tokens.callKeyFile,
    },
    stop: async (name) => served.get(name)?.close(),
    start,
  };
}

async function serveKeys({ trusted }: TestTokens): Promise<string> {
  const keys = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(trusted.jwks));
  });
  await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve));
  leftovers.defer('the keys', () => {
    keys.closeAllConnections();
    return new Promise((resolve) => keys.close(resolve));
  });
  return `http://127.0.0.1:${(keys.address() as AddressInfo).port}/keys`;
}
