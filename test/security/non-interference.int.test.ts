// Non-interference: two systems that differ only in the data of other experiments. Whatever an observer
// without rights in them does, every answer of one system equals that of the other, after identifiers and
// times are renamed. The channels that remain are decided; docs/reference/side-channels.md lists them.
// identity-narrowing.int.test.ts has the same for identities.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { document, mutate } from '../experiments/test-system.js';
import { steps } from './foreign-calls.js';
import { differences, orderTests, timeTests } from './non-interference/comparisons.js';
import {
  firstOf,
  hardware,
  observers,
  payload,
  renamed,
  type Side,
  startSides,
  untilEqual,
} from './two-systems.js';

let sides: readonly [Side, Side];

beforeAll(async () => {
  sides = await startSides();
});

const sideAt = (at: number): Side => (at === 0 ? sides[0] : sides[1]);

describe('observer without rights in another experiment', () => {
  it.each(observers)('gets equal answers to every call, as %s', async (role) => {
    expect(await differences(sides, role, steps)).toEqual([]);
  });

  it('gets equal messages of a stream, whatever happens in the other experiment', async () => {
    const text = 'subscription { jobStateChanged { event { job { id } previousState state } } }';
    const received: string[][] = [[], []];
    const streams = await Promise.all(
      sides.map(async ({ system, tokens }) =>
        (await system.client(tokens.get('READER'))).subscribe(document(text), {}),
      ),
    );
    const read = async (at: 0 | 1): Promise<void> => {
      const message = await streams[at]?.next();
      received[at]?.push(renamed(message?.value, sides[at]));
    };
    await Promise.all([read(0), read(1)]);
    const [empty, full] = sides;
    const heavy = { experiment: 'beta', idempotencyKey: 'more', jobs: [{ name: 'CANARY', payload }] };
    await mutate(full.system, 'submitJobs', heavy);
    await mutate(full.system, 'setJobPriority', { selection: { ids: [full.foreign.jobId] }, priority: 9 });
    for (const { system } of [empty, full]) {
      const ours = { experiment: 'alpha', idempotencyKey: 'more', jobs: [{ name: 'x', payload }] };
      await mutate(system, 'submitJobs', ours);
    }
    await Promise.all([read(0), read(1)]);
    await Promise.all(streams.map((stream) => stream.return?.()));
    expect(received[1]).toEqual(received[0]);
    expect(received[0]?.[1]).toContain('ACTIVATED');
  });

  it.each([
    ['jobCountsChanged', '{ jobCountsChanged { counts { experimentName queueName state count } } }'],
    ['taskProgress', '($task: ID!) { taskProgress(id: $task) { progress { totalJobs } } }'],
    ['jobLogAppended', '($job: ID!) { jobLogAppended(jobId: $job) { cursor } }'],
    ['jobProgressChanged', '($job: ID!) { jobProgressChanged(ids: [$job]) { jobs { progress { step } } } }'],
    ['gpuOccupancyChanged', '{ gpuOccupancyChanged { gpus { queueName model } } }'],
    [
      'larkspurObservationChanged',
      '($observation: ID!) { larkspurObservationChanged(id: $observation) { cursor } }',
    ],
    ['epicLiveRunChanged', '{ epicLiveRunChanged(runNumber: 7) { cursor } }'],
    ['epicRunChanged', '{ epicRunChanged(runNumber: 7) { cursor } }'],
    ['atlasTaskChanged', '($atlasTask: ID!) { atlasTaskChanged(id: $atlasTask) { cursor } }'],
    ['rubinWorkflowChanged', '($workflow: ID!) { rubinWorkflowChanged(id: $workflow) { cursor } }'],
    ['workerCommands', '($worker: ID!) { workerCommands(workerId: $worker) { sequence } }'],
  ])('gets equal first messages of %s', async (_name, text) => {
    for (const role of observers) {
      const [empty, full] = await untilEqual(() =>
        Promise.all(sides.map((side) => firstOf(side, role, text))),
      );
      expect(full).toBe(empty);
    }
  });

  it.each([
    ['queueChanged', '{ queueChanged { event { queue { name state } } } }'],
    ['workerChanged', '{ workerChanged { event { worker { name state } } } }'],
  ])('gets equal messages of %s, whatever happens in the other experiment', async (name, text) => {
    const streams = await Promise.all(
      sides.map(async ({ system, tokens }) =>
        (await system.client(tokens.get('OPERATOR'))).subscribe(document(`subscription ${text}`), {}),
      ),
    );
    const read = async (): Promise<readonly string[]> =>
      Promise.all(streams.map(async (stream, at) => renamed((await stream.next()).value, sideAt(at))));
    const opened = await read();
    expect(opened[1]).toBe(opened[0]);
    const reason = `CANARY ${name}`;
    await mutate(sides[1].system, 'setQueueState', { name: 'theirs', state: 'PAUSED', reason });
    await mutate(sides[1].system, 'drainWorker', { workerId: sides[1].foreign.workerId, reason });
    for (const { system } of sides) {
      await mutate(system, 'setQueueState', { name: 'ours', state: 'ONLINE', reason: `ours ${name}` });
      const late = { queue: 'ours', host: 'h', name: `late ${name}`, version: '1', hardware };
      await mutate(system, 'registerWorker', { ...late, idempotencyKey: name });
    }
    const changed = await read();
    expect(changed[1]).toBe(changed[0]);
    expect(changed[1]).toMatch(/"ours"|late/);
    await Promise.all(streams.map((stream) => stream.return?.()));
  });
});

orderTests(() => sides, 25);
timeTests(() => sides, 40);
