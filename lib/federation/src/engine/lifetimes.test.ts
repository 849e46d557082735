import { afterEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { core, type Fault, FailingSubgraphs } from '../testing/failing-subgraphs.js';
import { recordingLog, createTestEngine, tester } from '../testing/test-engine.js';

// Calls that take too long, clients that disconnect, engines that close.

const subgraphs = new FailingSubgraphs();
afterEach(() => subgraphs.close());

describe('early ends', () => {
  it('aborts the call of a slow subgraph after its timeout', async () => {
    let stopped: unknown;
    const slow: Fault = (_answer, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          stopped = signal.reason;
          reject(new Error('stopped'));
        });
      });
    const answer = await subgraphs.run(
      '{ alphas coreOnly }',
      { alpha: slow },
      { limits: { subgraphTimeoutsMs: { alpha: 30 }, subgraphTimeoutMs: 60_000 } },
    );
    expect(answer.data).toEqual({ alphas: null, coreOnly: 1 });
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" did not answer within 30 ms');
    expect(stopped).toBeInstanceOf(DomainError);
  });

  it('gives a call that waits for work that much more time', async () => {
    const never: Fault = () => new Promise(() => {});
    const { run } = await subgraphs.open({ alpha: never }, { limits: { subgraphTimeoutMs: 10 } });
    const answer = await run('{ alphas coreOnly }', {}, { waitMs: 20 });
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" did not answer within 30 ms');
  });

  it('aborts the calls of a client that disconnects', async () => {
    const controller = new AbortController();
    const leaving = new Error('client left');
    let aborted: unknown;
    let asked: () => void = () => {};
    const wasAsked = new Promise<void>((resolve) => (asked = resolve));
    const gateway = await subgraphs.open({
      alpha: (_answer, signal) =>
        new Promise(() => {
          signal?.addEventListener('abort', () => (aborted = signal.reason));
          asked();
        }),
    });
    const running = gateway.engine.execute({
      query: '{ alphas }',
      principal: tester,
      requestId: 'r1',
      signal: controller.signal,
    });
    await wasAsked;
    expect(gateway.engine.running.operations).toBe(1);
    controller.abort(leaving);
    await expect(running).rejects.toBe(leaving);
    expect(aborted).toBe(leaving);
    expect(gateway.engine.running.operations).toBe(0);
  });

  it('sends no call for a client that has disconnected already', async () => {
    const answer = subgraphs.run('{ coreOnly }');
    await answer;
    core.calls.length = 0;
    await expect(
      subgraphs.test?.engine.execute({
        query: '{ coreOnly }',
        principal: tester,
        requestId: 'r1',
        signal: AbortSignal.abort(new Error('gone')),
      }),
    ).rejects.toThrow('gone');
    expect(core.calls).toEqual([]);
  });

  it('ends running operations when the engine closes and then refuses new ones', async () => {
    let finish: () => void = () => {};
    let asked: () => void = () => {};
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const closing = await subgraphs.open({
      core: async (answer) => {
        asked();
        await new Promise<void>((go) => (finish = go));
        return answer();
      },
    });
    const texts: string[] = [];
    void closing.text('{ coreOnly }').then((text) => texts.push(text));
    await isAsked;
    const closed = closing.close().then(() => texts.push('closed'));
    expect(JSON.parse(await closing.text('{ coreOnly }'))).toMatchObject({
      errors: [{ extensions: { code: 'SHUTTING_DOWN' } }],
    });
    expect(await closing.engine.prepare({ query: '{ coreOnly }', requestId: 'r2' })).toMatchObject({
      ok: false,
      answer: { codes: ['SHUTTING_DOWN'] },
    });
    finish();
    await closed;
    expect(texts).toEqual(['{"data":{"coreOnly":1}}', 'closed']);
  });

  it('rejects an invalid supergraph with a reason', async () => {
    for (const planning of ['inline', 'worker'] as const) {
      await expect(
        createTestEngine([core], { supergraphSdl: 'type Query { a: Int', planning, log: recordingLog() }),
      ).rejects.toMatchObject({ code: 'COMPOSITION_FAILED' });
    }
  });
});
