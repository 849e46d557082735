import { afterEach, describe, expect, test } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { type SubgraphResult } from '../transport/transport.js';
import { down, type Fault, FailingSubgraphs, pathsOf, locationsOf } from '../testing/failing-subgraphs.js';

// What is left of an answer when a service fails: only its fields are null, each with an error that names it.

const subgraphs = new FailingSubgraphs();
afterEach(() => subgraphs.close());

describe('services that fail', () => {
  test('a service that is down leaves null in its own fields, with one error a fetch', async () => {
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

  test("a field that may not be null takes its object along, with the service's error", async () => {
    const answer = await subgraphs.run('{ job { id need } }', { alpha: down });
    expect(answer.data).toEqual({ job: null });
    expect(locationsOf(answer)).toEqual([['job.need', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
  });

  test('what comes after a failed fetch is told with its failure', async () => {
    const answer = await subgraphs.run('{ alphaJob { weight alpha { run } name } }', {
      core: async () => {
        throw new DomainError('SERVICE_UNAVAILABLE', 'down');
      },
    });
    expect(answer.data).toEqual({ alphaJob: { weight: null, alpha: { run: 5 }, name: null } });
    expect(locationsOf(answer)).toEqual([['alphaJob.weight', 'SERVICE_UNAVAILABLE', 'core']]);
    expect(pathsOf(answer)).toEqual([[2, 'alphaJob.weight', 'alphaJob.name']]);
  });

  test.each<[string, Fault, string]>([
    ['nothing', async () => undefined as unknown as SubgraphResult, 'answered no GraphQL response'],
    ['a text', async () => 'busy' as unknown as SubgraphResult, 'answered no GraphQL response'],
    ['neither data nor errors', async () => ({}), 'answered without entities'],
    ['data without entities', async () => ({ data: {} }), 'answered without entities'],
    ['entities that are no list', async () => ({ data: { _entities: 5 } }), 'answered without entities'],
  ])('a service that answers %s', async (_name, fault, message) => {
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

  test('a service that answers fewer entities than it was asked for', async () => {
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

  test('an entity that the service does not know is null without an error', async () => {
    const answer = await subgraphs.run('{ jobs { alpha { run } } }', {
      alpha: async () => ({ data: { _entities: [null, { alpha: { run: 7 } }] } }),
    });
    expect(answer).toEqual({ data: { jobs: [{ alpha: null }, { alpha: { run: 7 } }] } });
  });

  test.each<[string, (string | number)[]]>([
    ['no place', []],
    ['the whole list', ['_entities']],
    ['a place that is not there', ['_entities', 99, 'alpha']],
  ])('an error about %s is told once, with all its fields', async (_name, path) => {
    const answer = await subgraphs.run('{ jobs { alpha { run } } }', {
      alpha: async () => ({ data: null, errors: [{ message: 'lost', path, extensions: { code: 'LOST' } }] }),
    });
    expect(answer.data).toEqual({ jobs: [{ alpha: null }, { alpha: null }] });
    expect(locationsOf(answer)).toEqual([['jobs.0.alpha', 'LOST', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.alpha', 'jobs.1.alpha']]);
  });

  test('a root that answers null without a word', async () => {
    const answer = await subgraphs.run('{ coreOnly alphas }', { core: async () => ({ data: null }) });
    expect(answer.data).toEqual({ coreOnly: null, alphas: [1] });
    expect(locationsOf(answer)).toEqual([['coreOnly', 'DOWNSTREAM_SERVICE_ERROR', 'core']]);
  });

  test('a transport that refuses at once is one failed call', async () => {
    const answer = await subgraphs.run('{ alphas coreOnly }', {
      alpha: () => {
        throw new DomainError('UNAUTHENTICATED', 'nobody');
      },
    });
    expect(answer.data).toEqual({ alphas: null, coreOnly: 1 });
    expect(locationsOf(answer)).toEqual([['alphas', 'UNAUTHENTICATED', 'alpha']]);
  });
});
