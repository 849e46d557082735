import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import {
  createQueue,
  DirectorySetup,
  registerExperiment,
  setQueueState,
  setShares,
  updateQueue,
} from '../support/directory.fixture.js';

let directory: DirectorySetup;

beforeAll(async () => {
  directory = await DirectorySetup.open();
});

describe('pages of queues', () => {
  it('returns consecutive pages by name and refuses wrong sizes and cursors', async () => {
    const names: string[] = [];
    const site = 'Paged';
    for (let count = 0; count < 5; count++) names.push(String((await directory.queue({ site }))['name']));
    const query =
      'query ($first: Int, $after: String) { queues(filter: { sites: ["Paged"] }, first: $first, after: $after) { edges { node { name } cursor } pageInfo { hasNextPage endCursor } } }';
    const read: string[] = [];
    let after: unknown = null;
    for (let page = 0; page < 3; page++) {
      const { queues } = await directory.ask(query, { first: 2, after });
      read.push(
        ...(queues?.['edges'] as unknown as { node: { name: string } }[]).map(({ node }) => node.name),
      );
      after = queues?.['pageInfo']?.['endCursor'];
      expect(queues?.['pageInfo']?.['hasNextPage']).toBe(page < 2);
    }
    expect(read).toEqual([...names].sort());
    for (const [variables, code] of [
      [{ first: 0 }, 'BAD_USER_INPUT'],
      [{ first: 101 }, 'BAD_USER_INPUT'],
      [{ after: 'junk' }, 'CURSOR_INVALID'],
    ] as const) {
      const { errors } = await directory.core.run(query, variables);
      expect(errors?.[0]?.extensions).toMatchObject({ code });
    }
  });
});

describe('access', () => {
  const reader = testPrincipal({ subject: 'reader@example', grants: { alpha: 'READER' } });
  const operator = testPrincipal({ subject: 'operator@example', grants: { alpha: 'OPERATOR' } });

  it("shows queues that admit every experiment or one of the caller's", async () => {
    const open = await directory.queue();
    const own = await directory.queue({ experiments: ['alpha', 'beta'] });
    const foreign = await directory.queue({ experiments: ['beta'] });
    const names = [open['name'], own['name'], foreign['name']];
    const query =
      'query ($names: [String!]!, $name: String!, $refs: [_Any!]!) { queues(filter: { names: $names }) { nodes { name } } queue(name: $name) { id } _entities(representations: $refs) { ... on Queue { id } } }';
    const found = await directory.ask(
      query,
      { names, name: foreign['name'], refs: [{ __typename: 'Queue', id: foreign['id'] }] },
      reader,
    );
    expect(found).toEqual({
      queues: { nodes: [{ name: open['name'] }, { name: own['name'] }] },
      queue: null,
      _entities: [null],
    });
    const admitting =
      'query ($names: [String!]!) { queues(filter: { names: $names, experiments: ["beta"] }) { nodes { name } } }';
    expect((await directory.ask(admitting, { names }))['queues']?.['nodes']).toHaveLength(3);
  });

  it('permits changes of queues only in all experiments that they concern', async () => {
    const forbidden = (mutation: string, input: object, principal = operator) =>
      directory.forbidden(mutation, input, principal);
    const open = await directory.queue();
    const shared = await directory.queue({ experiments: ['alpha', 'beta'] });
    const own = await directory.queue({ experiments: ['alpha'] });
    await forbidden(createQueue, { name: directory.name(), site: 'X' });
    await forbidden(createQueue, { name: directory.name(), site: 'X', experiments: ['alpha', 'beta'] });
    await forbidden(createQueue, { name: directory.name(), site: 'X', experiments: ['alpha'] }, reader);
    await forbidden(updateQueue, { name: open['name'], site: 'X' });
    await forbidden(updateQueue, { name: shared['name'], site: 'X' });
    await forbidden(updateQueue, { name: own['name'], experiments: ['alpha', 'beta'] });
    await forbidden(updateQueue, { name: own['name'], experiments: [] });
    await forbidden(setQueueState, { name: open['name'], state: 'PAUSED', reason: 'r' });
    await forbidden(registerExperiment, { name: 'delta', title: 'Delta' });
    await forbidden(setShares, { experiment: 'alpha', shares: [{ leaf: 'a', nominalCores: 1 }] });
    const { updateQueue: answer } = await directory.ask(
      updateQueue,
      { input: { name: own['name'], site: 'Mine' } },
      operator,
    );
    expect(answer?.['queue']).toMatchObject({ site: { name: 'Mine' } });
  });
});
