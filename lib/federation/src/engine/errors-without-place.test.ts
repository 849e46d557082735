import { afterEach, describe, expect, it } from '@jest/globals';
import { type Fault, FailingSubgraphs, locationsOf } from '../testing/failing-subgraphs.js';

// Errors and values of a subgraph that have no location in the client's answer: each is one error.

const system = new FailingSubgraphs();
afterEach(() => system.close());

const ill = { message: 'disk full', extensions: { code: 'DISK_FULL' } };

/** Returns the subgraph's answer, with additional errors. */
function withErrors(...errors: object[]): Fault {
  return async (answer) => ({ ...(await answer()), errors: errors as never });
}

describe('an error of a subgraph', () => {
  it('appears once if it has no path and the data is complete', async () => {
    const answer = await system.run('{ job { name } coreOnly }', { core: withErrors(ill) });
    expect(answer.data).toEqual({ job: { name: 'job 0' }, coreOnly: 1 });
    expect(locationsOf(answer)).toEqual([[undefined, 'DISK_FULL', 'core']]);
  });

  it('appears once if it has no path and the data contains null', async () => {
    const answer = await system.run('{ job { name } coreOnly }', {
      core: async () => ({ data: { job: null, coreOnly: 1 }, errors: [ill] }),
    });
    expect(answer.data).toEqual({ job: null, coreOnly: 1 });
    expect(locationsOf(answer)).toEqual([[undefined, 'DISK_FULL', 'core']]);
  });

  it.each([
    ['of a field that was not asked for', ['nothing'], undefined],
    ['below an object', ['job', 'nothing'], 'job'],
    ['of an item that is not there', ['jobs', 7, 'name'], 'jobs'],
  ])('appears once if its path is that %s', async (_where, path, place) => {
    const answer = await system.run('{ job { name } jobs { name } }', { core: withErrors({ ...ill, path }) });
    expect(answer.data).toMatchObject({ job: { name: 'job 0' } });
    expect(locationsOf(answer)).toEqual([[place, 'DISK_FULL', 'core']]);
  });

  it.each([
    ['without a path', undefined],
    ['with the path of an entity that is not there', ['_entities', 9]],
    ['with the path of an entity', ['_entities', 0]],
    ['with the path of no field', ['nothing']],
  ])('appears once if it is about entities, %s, and the data is complete', async (_where, path) => {
    const answer = await system.run('{ jobs { alpha { run } } }', {
      alpha: withErrors(path ? { ...ill, path } : ill),
    });
    expect(answer.data).toEqual({ jobs: [{ alpha: { run: 0 } }, { alpha: { run: 1 } }] });
    expect(answer.errors).toHaveLength(1);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'DISK_FULL', subgraph: 'alpha' });
  });

  it('appears once for each error without a path', async () => {
    const other = { message: 'memory full', extensions: { code: 'MEMORY_FULL' } };
    const answer = await system.run('{ job { name } }', { core: withErrors(ill, other) });
    expect(locationsOf(answer).flat()).toEqual([
      undefined,
      'DISK_FULL',
      'core',
      undefined,
      'MEMORY_FULL',
      'core',
    ]);
  });
});

describe('an entity that is not an object', () => {
  it.each([['a text'], [7], [['a', 'list']]])('causes one error: %j', async (entity) => {
    const answer = await system.run('{ jobs { name alpha { run } } }', {
      alpha: async () => ({ data: { _entities: [{ alpha: { run: 1 } }, entity] } }) as never,
    });
    expect(answer.data).toEqual({
      jobs: [
        { name: 'job 0', alpha: { run: 1 } },
        { name: 'job 1', alpha: null },
      ],
    });
    expect(locationsOf(answer)).toEqual([['jobs.1.alpha', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
  });
});
