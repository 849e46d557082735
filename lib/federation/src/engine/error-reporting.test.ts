import { afterEach, describe, expect, it } from '@jest/globals';
import { down, FailingSubgraphs, locationsOf } from '../testing/failing-subgraphs.js';

// Where an error is reported, which parts of it, and how often.

const subgraphs = new FailingSubgraphs();
afterEach(() => subgraphs.close());

describe('an error in an answer', () => {
  it('has the path that the client uses, through aliases, lists and hops', async () => {
    const answer = await subgraphs.run('{ all: jobs { p: parent { a: alpha { l: list { b: bad } } } } }');
    expect(answer.data).toEqual({
      all: Array.from({ length: 2 }, () => ({ p: { a: { l: [{ b: null }, { b: null }] } } })),
    });
    expect(locationsOf(answer)).toEqual([
      ['all.0.p.a.l.0.b', 'BAD', 'alpha'],
      ['all.1.p.a.l.0.b', 'BAD', 'alpha'],
      ['all.0.p.a.l.1.b', 'BAD', 'alpha'],
      ['all.1.p.a.l.1.b', 'BAD', 'alpha'],
    ]);
  });

  it('keeps public extensions and drops internal ones', async () => {
    const answer = await subgraphs.run('{ job { size } }');
    expect(answer.errors).toEqual([
      {
        message: 'no size',
        path: ['job', 'size'],
        extensions: { field: 'size', code: 'NO_SIZE', retry: 'never', subgraph: 'core', requestId: 'r1' },
      },
    ]);
  });

  it('has its message masked and logged if it has no code', async () => {
    const answer = await subgraphs.run('{ job { bad } }');
    expect(answer.errors?.[0]).toMatchObject({
      message: 'The service "core" failed; quote request r1 when you report it',
      extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', subgraph: 'core' },
    });
    expect(JSON.stringify(answer)).not.toContain('password');
    expect(JSON.stringify(subgraphs.test?.log.lines)).toContain('mongodb://');
  });

  it('appears at the field that requires the failed field', async () => {
    const answer = await subgraphs.run('{ jobs { weight } }');
    expect(answer.data).toEqual({ jobs: [{ weight: null }, { weight: null }] });
    expect(locationsOf(answer)).toEqual([
      ['jobs.0.weight', 'NO_SIZE', 'core'],
      ['jobs.1.weight', 'NO_SIZE', 'core'],
    ]);
  });

  it('appears at the fields of an entity if the entity as a whole failed', async () => {
    const answer = await subgraphs.run('{ jobs { alpha { run } } }', {
      alpha: async () => ({
        data: { _entities: [{ alpha: { run: 1 } }, null] },
        errors: [{ message: 'not found', path: ['_entities', 1], extensions: { code: 'NOT_FOUND' } }],
      }),
    });
    expect(locationsOf(answer)).toEqual([['jobs.1.alpha', 'NOT_FOUND', 'alpha']]);
  });

  it('lists a bounded number of paths and has the full count', async () => {
    const answer = await subgraphs.run(
      '{ jobs(n: 1000) { alpha { run } } }',
      { alpha: down },
      { limits: { errorsPerFetch: 10 } },
    );
    expect(answer.errors).toHaveLength(1);
    expect(answer.errors?.[0]?.extensions['count']).toBe(1000);
    expect(answer.errors?.[0]?.extensions['paths']).toHaveLength(10);
    expect((answer.data?.['jobs'] as unknown[]).length).toBe(1000);
  });

  it('blames the subgraph if it rejects an operation of the planner, and is logged', async () => {
    const answer = await subgraphs.run('{ alphas }', {
      alpha: async () => ({
        errors: [
          { message: 'Cannot query field "alphas"', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } },
        ],
      }),
    });
    expect(locationsOf(answer)).toEqual([['alphas', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
    expect(JSON.stringify(answer)).not.toContain('Cannot query');
  });

  it('covers nullable fields, non-null fields and lists of one failed fetch', async () => {
    const answer = await subgraphs.run(
      '{ job { id need } jobs { a: alpha { run } alpha { inner { run } } } alphaJob { id } }',
      {
        alpha: down,
      },
    );
    expect(answer.data).toEqual({
      job: null,
      jobs: Array(2).fill({ a: null, alpha: null }),
      alphaJob: null,
    });
    const counts = new Map<string, number>();
    for (const error of answer.errors ?? []) {
      for (const path of (error.extensions['paths'] as unknown[] | undefined) ?? [error.path]) {
        const place = JSON.stringify(path);
        counts.set(place, (counts.get(place) ?? 0) + 1);
      }
    }
    expect([...counts].sort()).toEqual(
      [
        ['job', 'need'],
        ['jobs', 0, 'a'],
        ['jobs', 0, 'alpha'],
        ['jobs', 1, 'a'],
        ['jobs', 1, 'alpha'],
        ['alphaJob'],
      ]
        .map((path) => [JSON.stringify(path), 1])
        .sort(),
    );
    expect(answer.errors?.length).toBeLessThan(counts.size);
  });
});
