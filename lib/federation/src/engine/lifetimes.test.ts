import { afterEach, describe, expect, test } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { core, type Fault, FailingSubgraphs } from '../testing/failing-subgraphs.js';
import { recordingLog, createTestEngine, tester } from '../testing/test-engine.js';

// Calls that take too long, clients that leave, engines that close.

const subgraphs = new FailingSubgraphs();
afterEach(() => subgraphs.close());

describe('what ends early', () => {
  test('a slow service is given up after its own time, and told to stop', async () => {
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

  test('a client that leaves takes its calls along', async () => {
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

  test('nothing is asked for a client that has left before', async () => {
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

  test('an engine that closes ends what runs, and then refuses', async () => {
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

  test('a supergraph that is none is refused with a reason', async () => {
    for (const planning of ['inline', 'worker'] as const) {
      await expect(
        createTestEngine([core], { supergraphSdl: 'type Query { a: Int', planning, log: recordingLog() }),
      ).rejects.toMatchObject({ code: 'COMPOSITION_FAILED' });
    }
  });
});
