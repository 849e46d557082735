import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

const jobs = [
  { id: '1', name: 'one', size: 10 },
  { id: '2', name: 'two', size: 20 },
];

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs(first: Int = 2): [Job!]! job(id: ID!): Job }
    type Mutation { renameJob(id: ID!, name: String!): Job }
    type Subscription { jobChanged: JobChanged! }
    type JobChanged { cursor: String! job: Job }
    type Job @key(fields: "id") { id: ID! name: String! size: Int! }
  `,
  resolvers: {
    Query: {
      jobs: (_: unknown, { first }: { first: number }) => jobs.slice(0, first),
      job: (_: unknown, { id }: { id: string }) => jobs.find((job) => job.id === id) ?? null,
    },
    Mutation: {
      renameJob: (_: unknown, { id, name }: { id: string; name: string }) => ({
        ...jobs.find((job) => job.id === id),
        name,
      }),
    },
    Subscription: {
      jobChanged: async function* () {
        for (const job of jobs) yield { cursor: `c${job.id}`, job };
      },
    },
    Job: { __resolveReference: ({ id }: { id: string }) => jobs.find((job) => job.id === id) },
  },
});

const alpha = testSubgraph({
  name: 'alpha',
  sdl: `
    type Job @key(fields: "id") { id: ID! size: Int! @external weight: Int @requires(fields: "size") alpha: AlphaJob }
    type AlphaJob { run: Int! job: Job }
  `,
  resolvers: {
    Job: {
      weight: ({ size }: { size: number }) => size * 2,
      alpha: ({ id }: { id: string }) => ({ run: Number(id) * 100, job: { id } }),
    },
  },
});

describe('createEngine on an in-process supergraph', () => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, alpha], { planning: 'worker' });
  });
  afterAll(() => gateway.close());

  it('resolves fields of an extension and keeps the key order of the selection', async () => {
    expect(await gateway.text('{ jobs { alpha { run } w: weight id t: __typename name } }')).toBe(
      '{"data":{"jobs":[{"alpha":{"run":100},"w":20,"id":"1","t":"Job","name":"one"},' +
        '{"alpha":{"run":200},"w":40,"id":"2","t":"Job","name":"two"}]}}',
    );
  });

  it('completes the result of a mutation with fields of another subgraph', async () => {
    expect(
      await gateway.text('mutation ($n: String!) { renameJob(id: "1", name: $n) { name alpha { run } } }', {
        n: 'neu',
      }),
    ).toBe('{"data":{"renameJob":{"name":"neu","alpha":{"run":100}}}}');
  });

  it('completes each event of a subscription with fields of other subgraphs', async () => {
    const opened = await gateway.engine.subscribe({
      query: 'subscription { jobChanged { cursor job { name alpha { run } } } }',
      requestId: 'r1',
      principal: (await import('../testing/test-engine.js')).tester,
    });
    if (!opened.ok) throw new Error(opened.answer.text);
    const texts: string[] = [];
    for await (const event of opened.events) texts.push(event.text);
    expect(texts).toEqual([
      '{"data":{"jobChanged":{"cursor":"c1","job":{"name":"one","alpha":{"run":100}}}}}',
      '{"data":{"jobChanged":{"cursor":"c2","job":{"name":"two","alpha":{"run":200}}}}}',
    ]);
  });

  it('fetches a field that a required field depends on from the original subgraph', async () => {
    expect(await gateway.text('{ jobs { alpha { job { weight } } } }')).toBe(
      '{"data":{"jobs":[{"alpha":{"job":{"weight":20}}},{"alpha":{"job":{"weight":40}}}]}}',
    );
  });

  it('answers introspection and data in one operation', async () => {
    expect(
      await gateway.text(
        'query ($n: String!) { __typename a: __type(name: $n) { name } jobs(first: 1) { id } }',
        { n: 'Job' },
      ),
    ).toBe('{"data":{"__typename":"Query","a":{"name":"Job"},"jobs":[{"id":"1"}]}}');
  });

  it('rejects an invalid document with the locations of its errors', async () => {
    const answer = await gateway.engine.execute({ query: '{ jobs { nope } }', requestId: 'r9' });
    expect(answer).toMatchObject({ outcome: 'rejected', codes: ['GRAPHQL_VALIDATION_FAILED'] });
    expect(JSON.parse(answer.text)).toMatchObject({ errors: [{ locations: [{ line: 1, column: 10 }] }] });
  });
});

it.each([
  ['no supergraph', 'type Query { a: Int }', 'it names no subgraphs'],
  ['no SDL', 'type Query {', 'Syntax Error'],
])('rejects %s with a reason', async (_what, supergraphSdl, words) => {
  await expect(createTestEngine([core], { supergraphSdl, planning: 'worker' })).rejects.toMatchObject({
    code: 'COMPOSITION_FAILED',
    message: expect.stringContaining(words),
  });
});
