import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { codesOf, type HttpAnswer, post } from '../testing/post.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// Calls that wait for work, through a whole gateway that runs two operations at once.

const touch = 'mutation { touchItem(id: "a") { id } }';
const take = 'mutation Take($input: TakeInput!) { take: leaseWorkUnits(input: $input) }';
const waiting = { input: { waitSeconds: 60 } };
let system: TestSystem;

beforeAll(async () => {
  system = await startTestSystem({ limits: { runningOperations: 2, waitingCallsPerSubject: 5 } });
});

afterEach(() => system.finishSlow());

async function headersOf(subject: string): Promise<Record<string, string>> {
  const grants = [{ experiment: '*', roles: ['ADMIN' as const] }];
  return system.bearer(await system.tokens.mint({ kind: 'HUMAN', subject, grants }));
}

/** Starts calls, and returns their answers to come once the subgraph has them. */
async function startTakes(
  count: number,
  headers: Record<string, string>,
  document = take,
): Promise<readonly Promise<HttpAnswer>[]> {
  const before = system.slow.waiting;
  const takes = Array.from({ length: count }, () => post(system.served.url, document, headers, waiting));
  while (system.slow.waiting < before + count) await new Promise(setImmediate);
  return takes;
}

describe('a call that waits for work', () => {
  it('does not delay other operations of their caller', async () => {
    const headers = await headersOf('alice');
    const takes = await startTakes(5, headers);
    const answer = await post(system.served.url, touch, headers);
    expect(answer.body.data).toEqual({ touchItem: { id: 'a' } });
    system.finishSlow();
    for (const { body } of await Promise.all(takes)) expect(body.data).toEqual({ take: 'done' });
  });

  it('is refused beyond the limit of its caller, with the time to retry after', async () => {
    const headers = await headersOf('bob');
    const takes = await startTakes(5, headers);
    const refused = await post(system.served.url, take, headers, waiting);
    expect([refused.status, codesOf(refused)]).toEqual([429, ['LIMIT_EXCEEDED']]);
    expect(refused.body.errors?.[0]).toMatchObject({
      message: expect.stringContaining('5 calls of this caller wait for work; the limit is 5'),
      extensions: { field: 'limits.waitingCallsPerSubject', retryAfterSeconds: 5 },
    });
    const [other] = await startTakes(1, await headersOf('carol'));
    system.finishSlow();
    await Promise.all([...takes, other]);
    const [again] = await startTakes(1, headers);
    system.finishSlow();
    expect((await again)?.status).toBe(200);
  });

  it('counts as an operation that works if its body is large', async () => {
    const headers = await headersOf('dora');
    const takes = await startTakes(5, headers);
    const [large] = await startTakes(1, headers, `${take} # ${'x'.repeat(20_000)}`);
    system.finishSlow();
    for (const answer of [...takes, large]) expect((await answer)?.status).toBe(200);
  });
});
