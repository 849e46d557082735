import { afterEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { createInProcessTransport } from '../transport/in-process.js';
import { type TestEngine, createTestEngine, tester } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Contents of `extensions.plan`.

const core = testSubgraph({
  name: 'core',
  sdl: 'type Query { jobs: [Job!]! one: Job } type Job @key(fields: "id") { id: ID! name: String }',
  resolvers: {
    Query: { jobs: () => [{ id: '1' }, { id: '2' }, { id: '1' }], one: () => null },
    Job: { name: ({ id }: { id: string }) => `job ${id}` },
  },
});
const alpha = testSubgraph({
  name: 'alpha',
  sdl: 'type Query { size: Int } type Job @key(fields: "id") { id: ID! alpha: Int }',
  resolvers: { Query: { size: () => 7 }, Job: { alpha: () => 1 } },
});

interface Fetch {
  readonly kind: string;
  readonly subgraph: string;
  readonly operation: string;
  readonly paths?: readonly string[];
  readonly startMs?: number;
  readonly durationMs?: number;
  readonly entities?: number;
  readonly errors?: number;
  readonly code?: string;
  readonly skipped?: string;
}
interface Tree extends Fetch {
  readonly nodes?: readonly Tree[];
}
interface Plan {
  readonly planner: string;
  readonly cost: number;
  readonly preparedMs: number;
  readonly plannedMs: number;
  readonly totalMs: number;
  readonly tree: Tree | null;
}

function fetchesOf(tree: Tree | null): Fetch[] {
  if (!tree) return [];
  return tree.nodes ? tree.nodes.flatMap(fetchesOf) : [tree];
}

describe('a traced operation', () => {
  let gateway: TestEngine | undefined;
  afterEach(() => gateway?.close());

  async function run(query: string, options: Parameters<typeof createTestEngine>[1] = {}) {
    gateway = await createTestEngine([core, alpha], options);
    const request = { query, principal: tester, requestId: 'r' };
    const plain = await gateway.engine.execute(request);
    const traced = await gateway.engine.execute({ ...request, trace: { preparedMs: 1.5, cost: 12 } });
    const body = JSON.parse(traced.text) as {
      data: unknown;
      extensions: { plan: Plan; notices?: readonly string[] };
    };
    return { plain, traced, body, plan: body.extensions.plan };
  }

  it('shows each fetch with its subgraph, operation, paths, entities and times', async () => {
    const { plain, traced, plan } = await run('{ jobs { name alpha } size }');
    expect(plain.text).not.toContain('extensions');
    expect(traced.text.startsWith(plain.text.slice(0, -1))).toBe(true);
    expect(plan).toMatchObject({ planner: 'native', cost: 12, preparedMs: 1.5 });
    const fetches = fetchesOf(plan.tree);
    expect(fetches.map(({ subgraph }) => subgraph).sort()).toEqual(['alpha', 'alpha', 'core']);
    const entities = fetches.find(({ paths }) => paths);
    expect(entities).toMatchObject({ subgraph: 'alpha', paths: ['jobs.@'], entities: 2, errors: 0 });
    expect(entities?.operation).toContain('_entities');
    for (const { startMs = NaN, durationMs = NaN } of fetches) {
      expect(startMs).toBeGreaterThanOrEqual(plan.plannedMs);
      expect(startMs + durationMs).toBeLessThanOrEqual(plan.totalMs);
    }
    const roots = fetches.find(({ subgraph }) => subgraph === 'core');
    expect(entities?.startMs).toBeGreaterThanOrEqual((roots?.startMs ?? 0) + (roots?.durationMs ?? 0) - 0.01);
  });

  it('shows skipped and failed fetches', async () => {
    const { plan } = await run('{ one { alpha } }');
    expect(fetchesOf(plan.tree).find(({ subgraph }) => subgraph === 'alpha')).toMatchObject({
      skipped: expect.any(String),
    });
    await gateway?.close();
    const down = await run('{ jobs { alpha } }', {
      transports: (name) => ({
        ...createInProcessTransport(name === 'core' ? core : alpha),
        ...(name === 'alpha'
          ? { execute: () => Promise.reject(new DomainError('SERVICE_UNAVAILABLE', 'down')) }
          : {}),
      }),
    });
    expect(fetchesOf(down.plan.tree).find(({ subgraph }) => subgraph === 'alpha')).toMatchObject({
      errors: 1,
      code: 'SERVICE_UNAVAILABLE',
    });
  });

  it('keeps other extensions and appears even if nothing is fetched', async () => {
    const deferred = await run('{ jobs { id ... @defer { name } } }');
    expect(deferred.body.extensions.notices).toHaveLength(1);
    expect(deferred.plan.tree).not.toBeNull();
    await gateway?.close();
    const { plan, body } = await run('{ __typename }');
    expect([body.data, plan.planner, plan.tree]).toEqual([{ __typename: 'Query' }, 'none', null]);
  });
});
