/**
 * Everything is killed at once, with jobs in every state, and started again: nothing is lost, nothing is
 * counted twice, and what ran ends.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import { type JobView, jobsOf, submit } from '../system/jobs.js';
import { type Grant, speakAsWorker, type SpokenWorker } from '../system/pilots.js';
import { type PlaygroundSystem, startPlayground, type TransportKind } from '../system/playground-system.js';
import { processesWith, untilGone } from '../system/processes.js';

/** A queue whose workers may be silent for long: they live through the restart. */
const patient = 'patient';
const throttledShare = 'larkspur/throttled';

interface Counts {
  readonly jobCounts: readonly { readonly share: string; readonly state: string; readonly count: number }[];
}

const countsOf = async (api: Api): Promise<readonly string[]> => {
  const { jobCounts } = await api.data<Counts>('{ jobCounts { share: sharePath state count } }');
  const lines = jobCounts
    .filter(({ count }) => count > 0)
    .map(({ share, state, count }) => `${share} ${state} ${count}`);
  return lines.sort();
};

/** The state of each job that the lines of {@link countsOf} count. */
const statesIn = (lines: readonly string[]): readonly string[] =>
  lines
    .flatMap((line) => {
      const [, state = '', count] = line.split(' ');
      return Array.from({ length: Number(count) }, () => state);
    })
    .sort();

const refusals = (answer: Record<string, { userErrors: unknown[] }>) =>
  Object.values(answer).flatMap(({ userErrors }) => userErrors);

/** Declares the story for one transport. */
export function restartStories(transport: TransportKind): void {
  describe(`over ${transport}`, () => {
    let system: PlaygroundSystem;
    let worker: SpokenWorker;
    /** Jobs by the state they are to be found in. */
    const jobs: Record<string, string> = {};
    const grants: Record<string, Grant> = {};
    let before: readonly JobView[];
    let countsBefore: readonly string[];

    const mutate = async (mutation: string, type: string, input: object) => {
      const answer = await system
        .api()
        .data<Record<string, { userErrors: unknown[] }>>(
          `mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { message } } }`,
          { input },
        );
      expect(refusals(answer)).toEqual([]);
    };

    beforeAll(async () => {
      system = await startPlayground({ transport });
      await mutate('createQueue', 'CreateQueueInput', {
        name: patient,
        site: 'STORY',
        limits: { heartbeatSeconds: 300, leaseSeconds: 3600 },
      });
      const shares = ['production', 'analysis', 'default'].map((leaf) => ({ leaf, nominalCores: 100 }));
      const throttled = { leaf: 'throttled', nominalCores: 100, ownerLimitCores: 1 };
      await mutate('setShares', 'SetSharesInput', { experiment: 'larkspur', shares: [...shares, throttled] });
      worker = await speakAsWorker(system, { name: 'spoken', queue: patient });
      await bringJobsIntoEveryState();
    });

    /** Each job by a way of its own, and none of them by a word to the store. */
    async function bringJobsIntoEveryState(): Promise<void> {
      const held = [
        'SENT',
        'STARTING',
        'RUNNING',
        'HOLDING',
        'TRANSFERRING',
        'FINISHED',
        'FAILED',
        'CANCELLED',
        'BACKOFF',
      ];
      const requirements = { memoryMiB: 64, diskMiB: 1 };
      const withOutputs = { command: 'true', outputs: ['o'] };
      const given = await submit(
        system.api(),
        held.map((name) => ({
          name,
          requirements,
          ...(name === 'HOLDING' || name === 'TRANSFERRING' ? { payload: withOutputs } : {}),
          retry: name === 'BACKOFF' ? { maxAttempts: 2, backoffSeconds: 86_400 } : { maxAttempts: 1 },
        })),
      );
      held.forEach((name, index) => (jobs[name] = given[index] ?? ''));
      const taken: Grant[] = [];
      while (taken.length < held.length)
        taken.push(...(await worker.acquire(held.length - taken.length, { waitSeconds: 10 })));
      for (const [name, id] of Object.entries(jobs)) {
        const grant = taken.find(({ job }) => job.id === id);
        if (!grant) throw new Error(`${name} was not granted`);
        grants[name] = grant;
      }
      const grantOf = (name: string): Grant => grants[name] as Grant;
      const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'as planned' };
      await worker.start(grantOf('STARTING'), 'STARTING');
      for (const name of held.slice(2)) await worker.start(grantOf(name), 'RUNNING');
      for (const name of ['HOLDING', 'TRANSFERRING']) await worker.finish(grantOf(name), 'HOLDING');
      await worker.finish(grantOf('TRANSFERRING'), 'TRANSFERRING');
      await worker.finish(grantOf('FINISHED'), 'FINISHED');
      for (const name of ['FAILED', 'BACKOFF']) await worker.fail(grantOf(name), error);
      const cancelled = { selection: { ids: [jobs['CANCELLED']] } };
      await system.api().change('cancelJobs', cancelled, 'result { changedIds }');

      const nowhere = { ...requirements, cores: 4000 };
      const [activated, onHold, throttled1, throttled2] = await submit(system.api(), [
        { name: 'ACTIVATED', requirements: nowhere },
        { name: 'HELD', requirements: nowhere },
        { name: 'one of two', share: throttledShare, requirements },
        { name: 'THROTTLED', share: throttledShare, requirements },
      ]);
      const [pending, closed] = await submit(system.api(), [
        { name: 'PENDING', dependsOn: [jobs['RUNNING']] },
        { name: 'CLOSED', dependsOn: [jobs['FAILED']] },
      ]);
      Object.assign(jobs, { ACTIVATED: activated, HELD: onHold, FIRST: throttled1, THROTTLED: throttled2 });
      Object.assign(jobs, { PENDING: pending, CLOSED: closed });
      await mutate('holdJobs', 'HoldJobsInput', { selection: { ids: [onHold] }, reason: 'for the story' });
      grants['FIRST'] = await waitFor(
        'a grant of the share that throttles',
        async () => (await worker.acquire(1))[0],
        {
          deadlineMs: 10_000,
        },
      );
      if (grants['FIRST'].job.id === throttled2)
        [jobs['FIRST'], jobs['THROTTLED']] = [throttled2 ?? '', throttled1 ?? ''];
      await waitFor(
        'the other one THROTTLED',
        async () => {
          await worker.acquire(1);
          return (await jobsOf(system.api(), [jobs['THROTTLED'] ?? '']))[0]?.state === 'THROTTLED';
        },
        { deadlineMs: 10_000 },
      );
    }

    const ids = () => Object.values(jobs);
    const byName = (views: readonly JobView[]) =>
      Object.fromEntries(
        Object.entries(jobs).map(([name, id]) => [name, views.find((view) => view.id === id)]),
      );

    it('starts with jobs in every state', async () => {
      before = await jobsOf(system.api(), ids());
      const states = Object.entries(byName(before)).map(([name, job]) => [name, job?.state]);
      const expected = { HELD: 'PENDING', BACKOFF: 'PENDING', FIRST: 'SENT' };
      for (const [name, state] of states)
        expect([name, state]).toEqual([name, { [name ?? '']: name, ...expected }[name ?? '']]);
      const { __type } = await system
        .api()
        .data<{ __type: { enumValues: { name: string }[] } }>(
          '{ __type(name: "JobState") { enumValues { name } } }',
        );
      expect(new Set(before.map(({ state }) => state))).toEqual(
        new Set(__type.enumValues.map(({ name }) => name)),
      );
      const stored = before.map(({ state }) => state).sort();
      // Counts follow the events of jobs.
      const areEqual = async (): Promise<boolean> => {
        countsBefore = await countsOf(system.api());
        return String(statesIn(countsBefore)) === String(stored);
      };
      await waitFor('the counts of all jobs', areEqual, { deadlineMs: 60_000 });
    });

    it('keeps states, attempts and counts when everything is killed and restarted', async () => {
      const all = processesWith(system.data);
      // The store first: nothing of what is only in memory may be needed.
      for (const { pid } of all.filter(({ commandLine }) => /^\S*mongod /.test(commandLine)))
        process.kill(pid, 'SIGKILL');
      await system.process.kill('SIGKILL');
      await untilGone(all, 10_000);
      system = await startPlayground({
        data: system.data,
        transport,
        port: Number(new URL(system.file.url).port),
      });
      expect(await jobsOf(system.api(), ids())).toEqual(before);
      expect(await countsOf(system.api())).toEqual(countsBefore);
    });

    it('lets the worker finish its jobs, and releases what waited for them', async () => {
      const output = { name: 'o', location: 'o', sizeBytes: 1, sha256: '0'.repeat(64) };
      for (const name of ['SENT', 'STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FIRST']) {
        const grant = grants[name] as Grant;
        const outputs = name === 'HOLDING' || name === 'TRANSFERRING' ? [output] : [];
        if (['SENT', 'STARTING', 'FIRST'].includes(name)) await worker.start(grant, 'RUNNING');
        const said = await worker.finish(grant, 'FINISHED', outputs);
        expect([name, said]).toEqual([name, { acceptedIds: [grant.job.id], userErrors: [] }]);
      }
      const late = await worker.finish(grants['CANCELLED'] as Grant, 'FINISHED');
      expect(late).toMatchObject({ acceptedIds: [], userErrors: [{ code: 'FENCE_STALE' }] });
      const waiting = [jobs['PENDING'] ?? '', jobs['THROTTLED'] ?? ''];
      const next: Grant[] = [];
      await waitFor(
        'the jobs that waited',
        async () => {
          next.push(...(await worker.acquire(2, { waitSeconds: 5 })));
          return next.length >= 2;
        },
        { deadlineMs: 15_000 },
      );
      expect(next.map(({ job }) => job.id).sort()).toEqual([...waiting].sort());
      for (const grant of next) {
        await worker.start(grant, 'RUNNING');
        await worker.finish(grant, 'FINISHED');
      }
      await mutate('releaseJobs', 'ReleaseJobsInput', { selection: { ids: [jobs['HELD']] } });

      const after = byName(await jobsOf(system.api(), ids()));
      const ended = [
        'SENT',
        'STARTING',
        'RUNNING',
        'HOLDING',
        'TRANSFERRING',
        'FIRST',
        'PENDING',
        'THROTTLED',
      ];
      for (const name of ended)
        expect([name, after[name]]).toMatchObject([name, { state: 'FINISHED', attempt: 1 }]);
      const kept = { FINISHED: 'FINISHED', FAILED: 'FAILED', CANCELLED: 'CANCELLED', CLOSED: 'CLOSED' };
      for (const [name, state] of Object.entries({
        ...kept,
        BACKOFF: 'PENDING',
        ACTIVATED: 'ACTIVATED',
        HELD: 'ACTIVATED',
      }))
        expect([name, after[name]?.state]).toEqual([name, state]);
    });
  });
}
