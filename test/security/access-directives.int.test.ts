// An experiment protects fields in its SDL, and the gateway enforces it before planning: no subgraph is asked
// for what the caller may not read.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildGateway, createInProcessTransport, type ServedGateway, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { compose } from '@rhizome/schema';
import { buildSubgraph, createInProcess, type InProcessSubgraph } from '@rhizome/subgraph';
import { leftovers, type TestTokens, testTokens } from '@rhizome/testkit';
import { parse } from 'graphql';
import { type Answer, apiOf } from '../e2e/system/api.js';

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.7",
  import: ["@key", "@external", "@requires", "@shareable", "@authenticated", "@requiresScopes", "@policy"])`;
const open = { open: 'a test' } as const;

const coreSdl = `${link}
  interface Node { id: ID! secret: String }
  type Job implements Node @key(fields: "id") {
    id: ID!
    name: String
    secret: String @requiresScopes(scopes: [["job:cancel"], ["admin:*"]])
    owner: Person
    people: [Person!]
  }
  type Task implements Node @key(fields: "id") { id: ID! title: String secret: String }
  type Person @authenticated { name: String! salary: Int! @policy(policies: [["payroll"]]) }
  union Work = Job | Task
  type Query { job: Job node: Node nodes: [Node!] work: [Work!] required: Job! }
  type Mutation { touch: Job }
  type Subscription { changed: Job }
`;
const rubinSdl = `${link}
  type Job @key(fields: "id") {
    id: ID!
    secret: String @external
    rubin: String @requires(fields: "secret") @requiresScopes(scopes: [["job:cancel"], ["admin:*"]])
    plan: String @requiresScopes(scopes: [["rubinPlan:read"]])
  }
  type Query { telescope: String @requiresScopes(scopes: [["job:read"]]) }
`;

let tokens: TestTokens;
let gateway: ServedGateway;
const ran: string[] = [];

function subgraphs(): Map<string, InProcessSubgraph> {
  const seen = <T>(name: string, value: T): T => {
    ran.push(name);
    return value;
  };
  const person = () => ({ name: 'Ann', salary: 7 });
  const job = {
    __typename: 'Job',
    id: '1',
    name: 'one',
    secret: () => seen('Job.secret', 'hush'),
    owner: () => seen('Job.owner', person()),
    people: () => [person(), person()],
  };
  const task = { __typename: 'Task', id: '2', title: 'two', secret: 'plain' };
  const typed = { __resolveType: ({ __typename }: { __typename: string }) => __typename };
  const core = buildSubgraph({
    name: 'core',
    typeDefs: parse(coreSdl),
    policies: Object.fromEntries(
      ['Query.job', 'Query.node', 'Query.nodes', 'Query.work', 'Query.required', 'Mutation.touch']
        .concat(['Subscription.changed', 'Job.__resolveReference', 'Task.__resolveReference'])
        .map((name) => [name, open]),
    ),
    resolvers: {
      Node: typed,
      Work: typed,
      Job: { __resolveReference: () => job },
      Task: { __resolveReference: () => task },
      Query: {
        job: () => job,
        node: () => job,
        nodes: () => [job, task],
        work: () => [job, task],
        required: () => job,
      },
      Mutation: { touch: () => seen('touch', job) },
      Subscription: {
        changed: {
          subscribe: async function* () {
            yield await Promise.resolve(job);
          },
          resolve: (event: unknown) => event,
        },
      },
    },
  });
  const rubin = buildSubgraph({
    name: 'rubin',
    typeDefs: parse(rubinSdl),
    policies: { 'Query.telescope': open, 'Job.__resolveReference': open },
    resolvers: {
      Query: { telescope: () => 'open' },
      Job: {
        __resolveReference: (reference: object) => reference,
        rubin: ({ secret }: { secret?: string }) => `saw ${secret ?? 'nothing'}`,
        plan: () => 'tonight',
      },
    },
  });
  const log = silentLogger();
  return new Map([core, rubin].map((subgraph) => [subgraph.name, createInProcess({ subgraph, log })]));
}

beforeAll(async () => {
  tokens = await testTokens();
  const made = subgraphs();
  const composed = compose([
    { name: 'core', sdl: coreSdl, url: 'http://core.test' },
    { name: 'rubin', sdl: rubinSdl, url: 'http://rubin.test' },
  ]);
  if (!composed.ok) throw new Error(JSON.stringify(composed.faults));
  // Composition demands the directive on the field that needs another one; the gateway does not rely on it.
  const unmarked = /(rubin: String[^\n]*?)\s*@requiresScopes\([^\n]*\]\]\)/;
  expect(composed.supergraphSdl).toMatch(unmarked);
  const built = await buildGateway({
    supergraphSdl: composed.supergraphSdl.replace(unmarked, '$1'),
    transports: (name) => createInProcessTransport(made.get(name) as InProcessSubgraph),
    verifier: tokens.verifier,
    policies: { payroll: { kinds: ['HUMAN'], roles: ['ADMIN'], experiments: ['*'] } },
    log: silentLogger(),
    planning: 'inline',
  });
  gateway = await serveGateway(built, { port: 0 });
  leftovers.defer('the gateway', () => gateway.close(0));
});

async function ask(
  query: string,
  token: string,
  variables?: object,
): Promise<Omit<Answer<unknown>, 'status'>> {
  ran.length = 0;
  const { status: _status, ...answer } = await apiOf(gateway.url, token).post(query, variables);
  return answer;
}
const refusedAt = (...paths: (readonly (string | number)[])[]): object[] =>
  paths.map((path) =>
    expect.objectContaining({ path, extensions: expect.objectContaining({ code: 'FORBIDDEN' }) }),
  );

describe('a gateway with access directives', () => {
  const reader = () => tokens.human('reader', { '*': 'READER' });

  it('answers null and an error at the path, and does not ask the subgraph', async () => {
    const { data, errors } = await ask('{ job { id hidden: secret name } }', await reader());
    expect(data).toEqual({ job: { id: '1', hidden: null, name: 'one' } });
    expect(errors).toEqual(refusedAt(['job', 'hidden']));
    expect(ran).toEqual([]);
    const admin = await ask('{ job { secret } }', await tokens.admin());
    expect(admin).toEqual({ data: { job: { secret: 'hush' } } });
  });

  it.each([
    ['an interface', '{ node { secret } }', { node: { secret: null } }, ['node', 'secret']],
    [
      'a fragment on the type',
      '{ node { ... on Job { secret } } }',
      { node: { secret: null } },
      ['node', 'secret'],
    ],
    [
      'a named fragment on the interface',
      'query { node { ...F } } fragment F on Node { secret }',
      { node: { secret: null } },
      ['node', 'secret'],
    ],
    [
      'a union',
      '{ work { ... on Job { secret } ... on Task { title } } }',
      { work: [{ secret: null }, { title: 'two' }] },
      ['work', 0, 'secret'],
    ],
    [
      '@requires of another subgraph',
      '{ job { id rubin } }',
      { job: { id: '1', rubin: null } },
      ['job', 'rubin'],
    ],
  ])('refuses a field through %s', async (_what, query, data, path) => {
    const answer = await ask(query, await reader());
    expect(answer).toEqual({ data, errors: refusedAt(path) });
    expect(ran).toEqual([]);
  });

  it('refuses a field of each object of a list, and moves null up to the next nullable field', async () => {
    const { data, errors } = await ask('{ job { people { name salary } owner { name } } }', await reader());
    expect(data).toEqual({ job: { people: null, owner: { name: 'Ann' } } });
    expect(errors).toEqual(refusedAt(['job', 'people', 0, 'salary'], ['job', 'people', 1, 'salary']));
    const admin = await ask('{ job { people { salary } } }', await tokens.admin());
    expect(admin).toEqual({ data: { job: { people: [{ salary: 7 }, { salary: 7 }] } } });
  });

  it('accepts a scope in the experiment of the subgraph, or in all', async () => {
    const query = '{ telescope job { plan } }';
    const all = { telescope: 'open', job: { plan: 'tonight' } };
    expect((await ask(query, await tokens.human('a', { rubin: 'ADMIN' }))).data).toEqual(all);
    expect((await ask(query, await tokens.human('b', { '*': 'ADMIN' }))).data).toEqual(all);
    expect((await ask(query, await tokens.human('c', { rubin: 'READER' }))).data).toEqual({
      telescope: 'open',
      job: { plan: null },
    });
    expect((await ask(query, await tokens.human('d', { atlas: 'ADMIN' }))).data).toEqual({
      telescope: null,
      job: { plan: null },
    });
    expect((await ask(query, await tokens.pilot('main'))).data).toMatchObject({ job: { plan: null } });
  });

  it('respects conditions and variables of removed fields', async () => {
    const query = 'query ($with: Boolean = false) { job { name secret @include(if: $with) } }';
    expect(await ask(query, await reader())).toEqual({ data: { job: { name: 'one' } } });
    expect((await ask(query, await reader(), { with: true })).errors).toEqual(refusedAt(['job', 'secret']));
  });

  it('runs a mutation whose answer is refused in part', async () => {
    const answer = await ask('mutation { touch { id secret } }', await reader());
    expect(answer).toEqual({
      data: { touch: { id: '1', secret: null } },
      errors: refusedAt(['touch', 'secret']),
    });
    expect(ran).toEqual(['touch']);
  });

  it('refuses a subscription', async () => {
    const query = encodeURIComponent('subscription { changed { id secret } }');
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${await reader()}` };
    const response = await fetch(`${gateway.url}?query=${query}`, { headers });
    expect(await response.text()).toContain('FORBIDDEN');
  });
});
