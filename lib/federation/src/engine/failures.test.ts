import { afterEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { type SubgraphResult } from '../transport/transport.js';
import { down, type Fault, FailingSubgraphs, pathsOf, locationsOf } from '../testing/failing-subgraphs.js';

// Partial answers when a subgraph fails: only its fields are null, each with an error that names it.

const subgraphs = new FailingSubgraphs();
afterEach(() => subgraphs.close());

describe('subgraphs that fail', () => {
  it('leaves null in the fields of a subgraph that is down, with one error per fetch', async () => {
    const answer = await subgraphs.run('{ jobs { id a: alpha { run } name } alphas coreOnly }', {
      alpha: down,
    });
    expect(answer.data).toEqual({
      jobs: [
        { id: '0', a: null, name: 'job 0' },
        { id: '1', a: null, name: 'job 1' },
      ],
      alphas: null,
      coreOnly: 1,
    });
    expect(locationsOf(answer)).toEqual([
      ['jobs.0.a', 'DOWNSTREAM_SERVICE_ERROR', 'alpha'],
      ['alphas', 'DOWNSTREAM_SERVICE_ERROR', 'alpha'],
    ]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.a', 'jobs.1.a'], undefined]);
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" could not be reached');
  });

  it('nulls the parent object of a non-null field and reports the error of the subgraph', async () => {
    const answer = await subgraphs.run('{ job { id need } }', { alpha: down });
    expect(answer.data).toEqual({ job: null });
    expect(locationsOf(answer)).toEqual([['job.need', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
  });

  it('reports the fields of dependent fetches with the failed fetch', async () => {
    const answer = await subgraphs.run('{ alphaJob { weight alpha { run } name } }', {
      core: async () => {
        throw new DomainError('SERVICE_UNAVAILABLE', 'down');
      },
    });
    expect(answer.data).toEqual({ alphaJob: { weight: null, alpha: { run: 5 }, name: null } });
    expect(locationsOf(answer)).toEqual([['alphaJob.weight', 'SERVICE_UNAVAILABLE', 'core']]);
    expect(pathsOf(answer)).toEqual([[2, 'alphaJob.weight', 'alphaJob.name']]);
  });

  it.each<[string, Fault, string]>([
    ['nothing', async () => undefined as unknown as SubgraphResult, 'answered no GraphQL response'],
    ['a text', async () => 'busy' as unknown as SubgraphResult, 'answered no GraphQL response'],
    ['neither data nor errors', async () => ({}), 'answered without entities'],
    ['data without entities', async () => ({ data: {} }), 'answered without entities'],
    ['entities that are no list', async () => ({ data: { _entities: 5 } }), 'answered without entities'],
  ])('reports a subgraph that answers %s', async (_name, fault, message) => {
    const answer = await subgraphs.run('{ jobs { alpha { run } name } }', { alpha: fault });
    expect(answer.data).toEqual({
      jobs: [
        { alpha: null, name: 'job 0' },
        { alpha: null, name: 'job 1' },
      ],
    });
    expect(locationsOf(answer)).toEqual([['jobs.0.alpha', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.alpha', 'jobs.1.alpha']]);
    expect(answer.errors?.[0]?.message).toBe(`The service "alpha" ${message}`);
  });

  it('reports a subgraph that answers fewer entities than requested', async () => {
    const answer = await subgraphs.run('{ jobs(n: 3) { alpha { run } } }', {
      alpha: async (answer) => {
        const result = await answer();
        return { data: { _entities: (result.data?.['_entities'] as unknown[]).slice(0, 1) } };
      },
    });
    expect(answer.data).toEqual({ jobs: [{ alpha: { run: 0 } }, { alpha: null }, { alpha: null }] });
    expect(locationsOf(answer)).toEqual([['jobs.1.alpha', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.1.alpha', 'jobs.2.alpha']]);
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" answered 1 entities of 3');
  });

  it('returns null without an error for an entity that the subgraph does not know', async () => {
    const answer = await subgraphs.run('{ jobs { alpha { run } } }', {
      alpha: async () => ({ data: { _entities: [null, { alpha: { run: 7 } }] } }),
    });
    expect(answer).toEqual({ data: { jobs: [{ alpha: null }, { alpha: { run: 7 } }] } });
  });

  it.each<[string, (string | number)[]]>([
    ['no place', []],
    ['the whole list', ['_entities']],
    ['a place that is not there', ['_entities', 99, 'alpha']],
  ])('reports an error about %s once, with all its fields', async (_name, path) => {
    const answer = await subgraphs.run('{ jobs { alpha { run } } }', {
      alpha: async () => ({ data: null, errors: [{ message: 'lost', path, extensions: { code: 'LOST' } }] }),
    });
    expect(answer.data).toEqual({ jobs: [{ alpha: null }, { alpha: null }] });
    expect(locationsOf(answer)).toEqual([['jobs.0.alpha', 'LOST', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.alpha', 'jobs.1.alpha']]);
  });

  it('returns null without an error for a root field that is null', async () => {
    const answer = await subgraphs.run('{ coreOnly alphas }', { core: async () => ({ data: null }) });
    expect(answer.data).toEqual({ coreOnly: null, alphas: [1] });
    expect(locationsOf(answer)).toEqual([['coreOnly', 'DOWNSTREAM_SERVICE_ERROR', 'core']]);
  });

  it('treats a transport that throws synchronously as one failed call', async () => {
    const answer = await subgraphs.run('{ alphas coreOnly }', {
      alpha: () => {
        throw new DomainError('UNAUTHENTICATED', 'nobody');
      },
    });
    expect(answer.data).toEqual({ alphas: null, coreOnly: 1 });
    expect(locationsOf(answer)).toEqual([['alphas', 'UNAUTHENTICATED', 'alpha']]);
  });
});
