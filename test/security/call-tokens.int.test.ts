// An experiment's service, or an admin of the experiment who moves its endpoint, sees everything that the
// gateway sends there. None of it opens any other entry point.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildGateway, overNetwork, type ServedGateway, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { sharedSdl } from '@rhizome/schema';
import { buildSubgraph, serveSubgraph, type SubgraphContext, type SubgraphSchema } from '@rhizome/subgraph';
import { leftovers, testDatabase, testMongo, type TestTokens, testTokens } from '@rhizome/testkit';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { decodeJwt } from 'jose';
import { WebSocket } from 'ws';
import { apiOf } from '../e2e/system/api.js';
import { recordInFront, type RecordingService } from './recording-service.js';

const open = { open: 'a test' } as const;

/** A subgraph of one experiment, or of core; it says who calls. */
function subgraphOf(name: string, type: string): SubgraphSchema {
  const sdl = `
    "What ${name} knows." type ${type} {
      "Its experiments." rights: [String!]!
      "Its caller." caller: String @perPrincipal
      "The subject, read where it must not be." leak: String
    }
    "A change." type ${type}Changed { "Its experiments." rights: [String!]! }
    type Query { "What ${name} knows." ${name}: ${type} }
    type Subscription { "Changes." ${name}Changed: ${type}Changed! }
  `;
  const rights = ({ principal }: SubgraphContext): string[] =>
    principal.grants.map(({ experiment, roles }) => `${experiment}:${roles.join('+')}`);
  const policies = { [`Query.${name}`]: open, [`Subscription.${name}Changed`]: open };
  const resolvers = {
    Query: { [name]: () => ({}) },
    [type]: {
      rights: (_parent: unknown, _args: unknown, context: SubgraphContext) => rights(context),
      caller: (_parent: unknown, _args: unknown, { principal }: SubgraphContext) => principal.subject,
      leak: (_parent: unknown, _args: unknown, { principal }: SubgraphContext) => principal.subject,
    },
    Subscription: {
      [`${name}Changed`]: {
        subscribe: async function* (_parent: unknown, _args: unknown, context: SubgraphContext) {
          yield await Promise.resolve({ rights: rights(context) });
        },
        resolve: (event: unknown) => event,
      },
    },
  };
  return buildSubgraph({ name, typeDefs: parse(sharedSdl() + sdl), resolvers, policies });
}

let tokens: TestTokens;
let gateway: ServedGateway;
let recorder: RecordingService;
const urls = new Map<string, string>();

function post(url: string, query: string, token: string, variables?: object) {
  return apiOf(url, token).post<Record<string, never>>(query, variables);
}

/** Close code of a socket, or `acknowledged`. */
async function knock(url: string, token: string): Promise<string> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () =>
        socket.send(
          JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
        ),
      );
      socket.on('message', () => resolve('acknowledged'));
      socket.on('close', (code) => resolve(String(code)));
    });
  } finally {
    socket.terminate();
  }
}

const registerText = `mutation ($input: RegisterSubgraphInput!) {
  registerSubgraph(input: $input) { userErrors { message } }
}`;
const publishText = `mutation ($input: PublishSchemaInput!) {
  publishSchema(input: $input) { check { findings { message } } userErrors { message } }
}`;
const checkText =
  'mutation ($input: CheckSchemaInput!) { checkSchema(input: $input) { userErrors { message } } }';

beforeAll(async () => {
  tokens = await testTokens();
  for (const [name, type] of [
    ['core', 'Core'],
    ['atlas', 'Atlas'],
    ['rubin', 'Rubin'],
  ] as const) {
    const verifier = tokens.callVerifier(name);
    const subgraph = subgraphOf(name, type);
    const served = await serveSubgraph({ subgraph, verifier, log: silentLogger(), drainMs: 100 });
    leftovers.defer(`the subgraph ${name}`, () => served.close());
    urls.set(name, served.url);
  }
  recorder = await recordInFront(urls.get('rubin') as string);
  const { databaseName: database } = await testDatabase('gateway');
  const built = await buildGateway({
    registry: { mongoUri: (await testMongo()).uri, database },
    transports: (name, url) => overNetwork(name, { url, calls: tokens.calls }),
    calls: tokens.calls,
    verifier: tokens.verifier,
    log: silentLogger(),
    planning: 'inline',
  });
  gateway = await serveGateway(built, { port: 0 });
  leftovers.defer('the gateway', () => gateway.close(0));
  const admin = await tokens.admin();
  for (const [name, typePrefix] of [
    ['core', null],
    ['atlas', 'Atlas'],
    ['rubin', 'Rubin'],
  ] as const) {
    const endpoint = name === 'rubin' ? recorder.url : urls.get(name);
    await post(gateway.url, registerText, admin, { input: { name, endpoint, typePrefix } });
    const { data, errors } = await post(gateway.url, publishText, admin, { input: { subgraph: name } });
    expect({ data, errors }).toMatchObject({ data: { publishSchema: { userErrors: [] } } });
  }
});

/** All tokens that the recorder has seen. */
const collected = (): string[] => [...new Set(recorder.received().match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g) ?? [])];
const claimsOf = (token: string) => decodeJwt<{ sub: string; rhizome: { grants: unknown } }>(token);

async function callRubin(token: string): Promise<void> {
  for (const query of ['{ rubin { rights } core { rights } }', '{ rubin { rights caller } }'])
    expect(await post(gateway.url, query, token)).toMatchObject({
      data: { rubin: { rights: ['rubin:ADMIN'] } },
    });
  const client = createClient({
    url: gateway.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
  });
  const events = client.iterate({ query: 'subscription { rubinChanged { rights } }' });
  expect((await events.next()).value).toMatchObject({ data: { rubinChanged: { rights: ['rubin:ADMIN'] } } });
  await client.dispose();
}

describe('a service that records its calls', () => {
  it('collects no token that opens the gateway, core, or another subgraph', async () => {
    const admin = await tokens.admin('boss@example');
    await callRubin(admin);
    expect(recorder.received()).not.toContain(admin);
    const found = collected();
    // One to read the schema, one for the scope and one for the person, which the socket shares with reads.
    expect(found.length).toBeGreaterThanOrEqual(3);
    for (const token of found) {
      // The tokens are valid where they belong: the refusals below are about the entry point.
      expect(await post(urls.get('rubin') as string, '{ __typename }', token)).toMatchObject({ status: 200 });
      for (const url of [gateway.url, urls.get('core'), urls.get('atlas')] as string[]) {
        const answer = await post(url, '{ __typename }', token);
        expect({ url, status: answer.status, code: answer.errors?.[0]?.extensions?.code }).toEqual({
          url,
          status: 401,
          code: 'UNAUTHENTICATED',
        });
        expect(await knock(url, token)).toBe('4403');
      }
    }
  });

  it('learns the grants in its experiment only, and the person only where the answer depends on them', async () => {
    await callRubin(await tokens.human('jane@example', { '*': 'ADMIN', atlas: 'USER' }));
    const claims = collected().map(claimsOf);
    for (const { rhizome } of claims)
      expect(rhizome.grants).toEqual([{ experiment: 'rubin', roles: [expect.any(String)] }]);
    expect(claims.filter(({ sub }) => sub === 'jane@example')).toHaveLength(1);
    expect(new Set(claims.map(({ sub }) => sub))).toContain('scope');
  });

  it('learns nothing about the publisher of its schema', async () => {
    const before = new Set(collected());
    const publisher = await tokens.human('publisher@example', { rubin: 'ADMIN' });
    const { data } = await post(gateway.url, checkText, publisher, { input: { subgraph: 'rubin' } });
    expect(data).toEqual({ checkSchema: { userErrors: [] } });
    expect(recorder.received()).not.toContain(publisher);
    for (const token of collected().filter((one) => !before.has(one)))
      expect(claimsOf(token).sub).toBe('scope');
  });
});

describe('a subgraph', () => {
  it('refuses access tokens, tokens for another subgraph, and those of another signer', async () => {
    const core = urls.get('core') as string;
    const admin = await tokens.admin();
    expect(await post(core, '{ core { rights } }', await tokens.call('core', admin))).toMatchObject({
      data: { core: { rights: ['*:ADMIN'] } },
    });
    const { calls: others } = await testTokens();
    const stranger = await tokens.verifier.verify(admin);
    for (const token of [admin, await tokens.call('atlas', admin), await others.tokenFor(stranger, 'core')]) {
      expect(await post(core, '{ core { rights } }', token)).toMatchObject({
        status: 401,
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      });
      expect(await knock(core, token)).toBe('4403');
    }
  });

  it('answers an error where a shared read needs the subject', async () => {
    const answer = await post(gateway.url, '{ rubin { leak } }', await tokens.admin());
    expect(answer).toMatchObject({ data: { rubin: { leak: null } } });
    expect(answer.errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
  });
});

describe('the gateway', () => {
  it('publishes the keys of call tokens, and nothing private', async () => {
    const answer = await fetch(new URL('/.well-known/rhizome-call-keys.json', gateway.url));
    expect(await answer.json()).toEqual(tokens.calls.jwks());
    expect(JSON.stringify(tokens.calls.jwks())).not.toContain('"d"');
  });
});
