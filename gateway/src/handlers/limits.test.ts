import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { leftovers, testPrincipal } from '@rhizome/testkit';
import { createInProcessTransport } from '@rhizome/federation';
import { composeSubgraphs, testSubgraph } from '@rhizome/federation/testing';
import { buildGateway } from '../app.js';
import { serveGateway } from '../serve.js';
import { EventReader } from '../testing/event-reader.js';
import { codesOf, type HttpAnswer, post, send } from '../testing/post.js';
import { RawSocket } from '../testing/raw-socket.js';

// Refusals before any subgraph is called, through a whole gateway whose subgraphs specify costs.

const header = (imports: string): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", ${imports}])`;
const principal = testPrincipal();
let calls = 0;
const shop = testSubgraph({
  name: 'shop',
  sdl: `
    ${header('"@cost", "@listSize"')}
    type Query {
      items(first: Int = 5): [Item!]! @listSize(slicingArguments: ["first"])
      page(limit: Int): Page! @listSize(slicingArguments: ["limit"], sizedFields: ["rows"])
    }
    type Subscription { itemSold: Item }
    type Page { rows: [Item!]! }
    type Item @key(fields: "id") { id: ID! stock: Int @cost(weight: 3) }
  `,
  resolvers: {
    Query: {
      items: () => {
        calls++;
        return [{ id: 'a' }];
      },
      page: () => ({ rows: [{ id: 'a' }] }),
    },
    Item: { stock: () => 1 },
  },
});
const reviews = testSubgraph({
  name: 'reviews',
  sdl: `
    ${header('"@cost"')}
    type Item @key(fields: "id") { id: ID! reviews: [Review!]! }
    type Review @cost(weight: 2) { text: String }
  `,
  resolvers: { Item: { reviews: () => [{ text: 'fine' }] }, Review: { text: () => 'fine' } },
});

const limits = { cost: 100, depth: 3, aliases: 3, rootFields: 4, directives: 5, assumedListSize: 10 };
let url: string;
let wsUrl: string;

beforeAll(async () => {
  const subgraphs = [shop, reviews];
  const gateway = await buildGateway({
    supergraphSdl: composeSubgraphs(subgraphs),
    transports: (name) => {
      const found = subgraphs.find((subgraph) => subgraph.name === name) ?? shop;
      const transport = createInProcessTransport(found);
      return { ...transport, execute: (request) => transport.execute({ ...request, principal }) };
    },
    verifier: undefined,
    log: silentLogger(),
    planning: 'inline',
    limits,
    engineLimits: { documentTokens: 200 },
  });
  const served = leftovers.use(await serveGateway(gateway, { port: 0 }), 'a gateway with limits');
  ({ url, wsUrl } = served);
});

afterAll(() => expect(calls).toBe(1));

const facts = ({ body }: HttpAnswer): unknown =>
  (body.errors ?? []).map(({ extensions: { field, value, expected } }) => [field, value, expected]);

describe('limits before execution', () => {
  it.each<[string, string, unknown[]]>([
    [
      'depth',
      '{ page(limit: 1) { rows { reviews { text __typename } ... { reviews { text } } } } }',
      ['depth', 4, 'at most 3'],
    ],
    ['aliases', '{ items(first: 1) { a: id b: id c: id d: id } }', ['aliases', 4, 'at most 3']],
    ['root fields', `{ ${'items(first: 1) { id } '.repeat(5)} }`, ['root fields', 5, 'at most 4']],
    [
      'directives',
      `{ items(first: 1) { ${['a', 'b', 'c'].map((key) => `${key}: id @skip(if: false) @include(if: true)`).join(' ')} } }`,
      ['directives', 6, 'at most 5'],
    ],
  ])('refuses too many %s', async (_name, query, fact) => {
    const answer = await post(url, query);
    expect([answer.status, codesOf(answer)]).toEqual([400, ['OPERATION_TOO_COMPLEX']]);
    expect(facts(answer)).toEqual([fact]);
  });

  it('limits tokens', async () => {
    const answer = await post(url, `{ ${'items(first: 1) { id } '.repeat(30)} }`);
    expect([answer.status, codesOf(answer)]).toEqual([400, ['OPERATION_TOO_COMPLEX']]);
    expect(answer.text).toContain('more than 200 tokens');
  });

  it.each([
    ['selections', `${'{ page '.repeat(100_000)}${'}'.repeat(100_000)}`],
    ['values', `{ items(first: ${'['.repeat(20_000)}${']'.repeat(20_000)}) { id } }`],
  ])('refuses %s that nest too deep to process', async (_name, query) => {
    const answer = await post(url, query);
    expect([answer.status, codesOf(answer)]).toEqual([400, ['OPERATION_TOO_COMPLEX']]);
    expect(answer.text).toContain('nested at most 500 deep');
  });

  it.each([200, 201, 100_000])('limits variables that nest %i deep', async (levels) => {
    const value = `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const body = `{"query":"{ page(limit: 200) { rows { id } } }","variables":{"deep":${value}}}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await send(url, { method: 'POST', headers, body });
    expect(codesOf(answer)).toEqual(['OPERATION_TOO_COMPLEX']);
    const limit = 'lists and objects nested at most 200 deep';
    expect(facts(answer)).toEqual([levels > 200 ? ['body', undefined, limit] : ['cost', 201, 'at most 100']]);
  });

  it("limits the cost of an operation over all subgraphs, by the supergraph's directives", async () => {
    const query = 'query ($n: Int) { items(first: $n) { stock reviews { text } } }';
    const refused = await post(url, query, {}, { n: 5 });
    expect([refused.status, codesOf(refused)]).toEqual([400, ['OPERATION_TOO_COMPLEX']]);
    // Each item is 1, its stock 3, its reviews ten of 2.
    expect(facts(refused)).toEqual([['cost', 120, 'at most 100']]);
    const taken = await post(url, query, {}, { n: 4 });
    expect(taken.body).toEqual({ data: { items: [{ stock: 1, reviews: [{ text: 'fine' }] }] } });
  });

  it('refuses a list whose required size argument is missing', async () => {
    const answer = await post(url, '{ page { rows { id } } }');
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT']);
    expect(answer.body.errors?.[0]?.message).toContain('exactly one of limit');
  });

  it('holds at every endpoint', async () => {
    const query = '{ items(first: 101) { id } }';
    const socket = await RawSocket.ready(wsUrl, {});
    socket.subscribe('1', query);
    expect((await socket.next('error')).payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'OPERATION_TOO_COMPLEX' }) }),
    ]);
    socket.drop();
    const events = await EventReader.post(url, query, {});
    expect(await events.event()).toContain('OPERATION_TOO_COMPLEX');
    events.leave();
  });
});
