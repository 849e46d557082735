import { beforeAll, describe, expect, it } from '@jest/globals';
import { experiment } from '@rhizome/epic';
import { waitFor } from '@rhizome/testkit';
import { document, type System, startTestSystem } from './test-system.js';
import { startWorker, type TestWorker } from './worker.js';

const submit = `mutation ($input: SubmitEpicRunInput!) {
  submitEpicRun(input: $input) { run { id runNumber phase task { id } } userErrors { code path message } }
}`;
const show = `query ($run: Int!) {
  epic { run(runNumber: $run) {
    id phase processedFrames
    groups { totalCount nodes { index firstFrame frames state } pageInfo { hasNextPage endCursor } }
    few: groups(first: 1) { edges { cursor node { index } } pageInfo { hasNextPage hasPreviousPage } }
    task { jobs(first: 100) { nodes { name taskIndex state requirements { selector } epic { run { runNumber } group { index state } } } } }
  } }
}`;

const wanted = (runNumber: number, more: object = {}) => ({
  idempotencyKey: `run ${runNumber}`,
  runNumber,
  detectorConfiguration: 'epic_craterlake_18x275',
  superTimeFrames: 25,
  framesPerGroup: 10,
  command: 'frames',
  arguments: ['-v'],
  ...more,
});

let system: System;
let worker: TestWorker;

beforeAll(async () => {
  system = await startTestSystem([experiment]);
  worker = await startWorker(system, 'one', { 'epic-detector': 'epic_craterlake_18x275' });
});

const submitted = async (input: object) => (await system.ask(submit, { input })).data.submitEpicRun;
const shown = async (run: number) => (await system.ask(show, { run })).data.epic.run;
const jobsOf = (run: number, count: number) =>
  waitFor(
    `${count} jobs`,
    async () => {
      const nodes = (await shown(run)).task.jobs.nodes;
      return nodes.length === count && nodes;
    },
    { deadlineMs: 60_000 },
  );
const reaches = (run: number, phase: string) =>
  waitFor(
    `phase ${phase}`,
    async () => {
      const found = await shown(run);
      return found.phase === phase && found;
    },
    { deadlineMs: 60_000 },
  );

describe('a run', () => {
  it('is processed in groups of super time frames, and its merge waits for all of them', async () => {
    const { run, userErrors } = await submitted(
      wanted(101, {
        mergeCommand: ['merge', '--all'],
        mergeOutputs: ['run.root'],
        outputs: ['frames.json'],
        isDetectorLabelRequired: true,
      }),
    );
    expect(userErrors).toEqual([]);
    expect(run).toMatchObject({ runNumber: 101, phase: 'PROCESSING' });
    const jobs = await jobsOf(101, 4);
    expect(jobs.map(({ epic }: { epic: unknown }) => epic)).toEqual([
      ...[0, 1, 2].map((index) => ({ run: { runNumber: 101 }, group: { index, state: 'WAITING' } })),
      { run: { runNumber: 101 }, group: null },
    ]);
    expect(jobs[0].requirements.selector).toBe('worker.labels["epic-detector"] == "epic_craterlake_18x275"');
    const run1 = await worker.runAll();
    expect(run1.map(({ command, arguments: given, outputs }) => [command, given.join(' '), outputs])).toEqual(
      [
        ['frames', '-v --run 101 --first-frame 0 --frames 10', ['frames.json']],
        ['frames', '-v --run 101 --first-frame 10 --frames 10', ['frames.json']],
        ['frames', '-v --run 101 --first-frame 20 --frames 5', ['frames.json']],
        ['merge', '--all', ['run.root']],
      ],
    );
    const done = await reaches(101, 'COMPLETE');
    expect(done).toMatchObject({
      processedFrames: 25,
      few: { edges: [{ node: { index: 0 } }], pageInfo: { hasNextPage: true, hasPreviousPage: false } },
    });
    expect(done.groups).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: false } });
    expect(done.groups.nodes).toEqual([
      { index: 0, firstFrame: 0, frames: 10, state: 'PROCESSED' },
      { index: 1, firstFrame: 10, frames: 10, state: 'PROCESSED' },
      { index: 2, firstFrame: 20, frames: 5, state: 'PROCESSED' },
    ]);
  });

  it('is PARTIAL after it lost a group', async () => {
    await submitted(wanted(102));
    await jobsOf(102, 3);
    const given = await worker.acquire(3);
    await worker.finish(given.slice(1));
    await worker.fail(given.slice(0, 1));
    const run = await reaches(102, 'PARTIAL');
    expect(run.groups.nodes.map(({ state }: { state: string }) => state)).toEqual([
      'LOST',
      'PROCESSED',
      'PROCESSED',
    ]);
    expect(run.processedFrames).toBe(15);
  });

  it('has a number of its own', async () => {
    const first = await submitted(wanted(103));
    const second = await submitted(wanted(103, { idempotencyKey: 'another' }));
    expect(second.run).toBeNull();
    expect(second.userErrors).toMatchObject([{ code: 'RUN_NUMBER_TAKEN', path: ['runNumber'] }]);
    expect((await submitted(wanted(103))).run.id).toBe(first.run.id);
    await worker.runAll();
  });

  it('sends its changes to subscribers', async () => {
    await submitted(wanted(104));
    await jobsOf(104, 3);
    const client = await system.client();
    const changes = document(
      'subscription ($run: Int!) { epicRunChanged(runNumber: $run) { cursor event { run { phase processedFrames } } } }',
    );
    type RunMessage = { readonly event: { readonly run: { readonly phase: string } } | null };
    const stream = client.subscribe(changes, { run: 104 });
    await waitFor('the opening message', stream.next(), { deadlineMs: 60_000 });
    await worker.runAll();
    const end = { phase: 'COMPLETE', processedFrames: 25 };
    const last = await waitFor<Record<string, unknown>>('the end', stream, {
      deadlineMs: 60_000,
      until: ({ epicRunChanged }) => (epicRunChanged as RunMessage).event?.run.phase === 'COMPLETE',
    });
    expect((last['epicRunChanged'] as RunMessage).event?.run).toEqual(end);
    await stream.return?.();
    const nobody = client.subscribe(changes, { run: 999 });
    await expect(nobody.next()).rejects.toMatchObject({ code: 'EPIC_RUN_NOT_FOUND' });
  });

  it.each([
    ['runNumber', { runNumber: 0 }],
    ['detectorConfiguration', { detectorConfiguration: 'a b' }],
    ['superTimeFrames', { superTimeFrames: 0 }],
    ['framesPerGroup', { framesPerGroup: 0 }],
    ['framesPerGroup', { superTimeFrames: 10_001, framesPerGroup: 1 }],
    ['framesPerGroup', { superTimeFrames: 1001, framesPerGroup: 1, mergeCommand: ['merge'] }],
    ['command', { command: '' }],
    ['arguments.0', { arguments: ['{{x}}'] }],
    ['outputs.0', { outputs: ['..'] }],
    ['mergeCommand', { mergeCommand: [] }],
    ['mergeOutputs', { mergeOutputs: ['x'] }],
    ['cores', { cores: 4097 }],
    ['maxAttempts', { maxAttempts: 0 }],
  ])('refuses a bad %s and writes nothing', async (path, bad) => {
    const { run, userErrors } = await submitted({ ...wanted(200), ...bad });
    expect(run).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'INVALID_VALUE', path: path.split('.') }]);
    expect(userErrors[0].message).toMatch(new RegExp(`^${path}: .*must be `));
    expect(
      await system.experiments['epic']?.db.collection('runs').countDocuments({ idempotencyKey: 'run 200' }),
    ).toBe(0);
  });
});
