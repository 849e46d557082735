/**
 * One process of the gateway benchmark: subgraphs in memory, served over HTTP (`subgraphs`), or with a
 * gateway in the same process (`in-process`, with compiled or interpreted operations). It sends its addresses
 * to its parent when it is ready, and answers each `calls` with the number of subgraph calls so far.
 */
import { readFileSync } from 'node:fs';
import {
  accessTokenKinds,
  callAudience,
  createCallSigner,
  createVerifier,
  gatewayIssuer,
  type Verifier,
} from '@rhizome/authz';
import { buildGateway, createInProcessTransport, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { compose } from '@rhizome/schema';
import {
  createInProcess,
  type ExecutionMode,
  type InProcessSubgraph,
  serveSubgraph,
  type SubgraphSchema,
} from '@rhizome/subgraph';
import { memorySubgraphs } from './memory-subgraphs.js';

/** Message of the process when it is ready. */
export interface ReadyMessage {
  /** The gateway's address, or of each subgraph by name. */
  readonly urls: Readonly<Record<string, string>>;
  readonly supergraphSdl: string;
}

const [mode, issuersFile = '', callKeyFile = ''] = process.argv.slice(2);
const log = silentLogger();
let calls = 0;

const [issuer] = JSON.parse(readFileSync(issuersFile, 'utf8')) as [{ issuer: string; jwksFile: string }];
const subgraphs = memorySubgraphs();
const calling = await createCallSigner({ keyFile: callKeyFile });
// The peer forwards the caller's token; this project's gateway signs one for the call.
const verifier = createVerifier({
  kinds: [...accessTokenKinds, 'CALL'],
  issuers: [
    { issuer: issuer.issuer, jwks: JSON.parse(readFileSync(issuer.jwksFile, 'utf8')) as never },
    {
      issuer: gatewayIssuer,
      alias: 'gateway',
      kinds: ['CALL'],
      experiments: '*',
      jwks: calling.jwks(),
      audiences: subgraphs.map(({ name }) => callAudience(name)),
    },
  ],
});
const urls = mode === 'subgraphs' ? await serveOverHttp() : await serveInProcess();
process.on('message', () => process.send?.({ calls }));
process.on('disconnect', () => process.exit());
process.send?.({ urls, supergraphSdl: composed(urls) } satisfies ReadyMessage);

/** The supergraph with these addresses. */
function composed(addresses: Readonly<Record<string, string>>): string {
  const result = compose(
    subgraphs.map(({ name, sdl }) => ({
      name,
      sdl,
      url: addresses[name] ?? `http://${name}.invalid/graphql`,
    })),
  );
  if (!result.ok) throw new Error(result.faults.map(({ message }) => message).join('\n'));
  return result.supergraphSdl;
}

async function serveOverHttp(): Promise<Record<string, string>> {
  // Each request is verified once.
  const counting: Verifier = {
    verify: (token) => {
      calls += 1;
      return verifier.verify(token);
    },
  };
  const served = await Promise.all(
    subgraphs.map(async (subgraph) => {
      const { url } = await serveSubgraph({ subgraph, verifier: counting, log });
      return [subgraph.name, url] as const;
    }),
  );
  return Object.fromEntries(served);
}

async function serveInProcess(): Promise<Record<string, string>> {
  const callable = new Map(subgraphs.map((subgraph) => [subgraph.name, counted(subgraph)]));
  const gateway = await buildGateway({
    supergraphSdl: composed({}),
    transports: (name) => createInProcessTransport(callable.get(name) as InProcessSubgraph),
    verifier,
    log,
  });
  return { gateway: (await serveGateway(gateway, { port: 0 })).url };
}

function counted(subgraph: SubgraphSchema): InProcessSubgraph {
  const execution: ExecutionMode = mode === 'in-process, interpreted' ? 'interpreted' : 'jit';
  const made = createInProcess({ subgraph, log, mode: execution });
  if (made.mode !== execution) throw new Error(`${subgraph.name} cannot run as ${execution}`);
  return {
    name: made.name,
    sdl: made.sdl,
    execute: (call) => {
      calls += 1;
      return made.execute(call);
    },
    subscribe: (call) => made.subscribe(call),
  };
}
