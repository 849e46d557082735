import { afterEach, describe, expect, it } from '@jest/globals';
import { FailingSubgraphs } from '../testing/failing-subgraphs.js';

const system = new FailingSubgraphs();
afterEach(() => system.close());

describe('the alias __typename for another field', () => {
  it('returns its value, across subgraphs and in lists', async () => {
    const answer = await system.run('{ jobs { __typename: name alpha { __typename: run } } }');
    expect(answer).toEqual({
      data: {
        jobs: [
          { __typename: 'job 0', alpha: { __typename: 0 } },
          { __typename: 'job 1', alpha: { __typename: 1 } },
        ],
      },
    });
  });

  it('keeps the type under another alias', async () => {
    const answer = await system.run('{ job { type: __typename __typename: name alpha { run } } }');
    expect(answer.data).toEqual({ job: { type: 'Job', __typename: 'job 0', alpha: { run: 0 } } });
  });

  it('appears in error paths as the client wrote it', async () => {
    const answer = await system.run('{ __typename: job { __typename: size } }');
    expect(answer.data).toEqual({ __typename: { __typename: null } });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['__typename', '__typename']]);
  });
});
