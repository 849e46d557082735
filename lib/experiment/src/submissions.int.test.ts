import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { leftovers, type TestDatabase, testDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { silentLogger } from '@rhizome/log';
import { LoaderCache } from '@rhizome/subgraph';
import { jobDetails, type Submissions } from './index.js';
import type { JobState } from './operations.generated.js';
import {
  openProbes,
  type ProbeContent,
  type ProbeDocument,
  probeTask,
} from './example-submissions.fixture.js';
import { deadLettersCollection } from './following/dead-letter.document.js';
import { type RecordedSystem, type RecordedJob, serveRecordedCore } from './recorded-core.fixture.js';

let system: RecordedSystem;
let db: TestDatabase;
let probes: Submissions<ProbeDocument, ProbeContent, 'NAME_TAKEN'>;

beforeEach(async () => {
  [system, db] = await Promise.all([serveRecordedCore(), testDatabase('probes')]);
  probes = await openProbes(db, system.client);
});
afterEach(async () => {
  await probes.stop();
  await leftovers.disposeAll();
});

const submit = (key: string, more: Partial<ProbeContent> & { readonly subject?: string } = {}) => {
  const { subject = 'somebody', name = key, jobs = 3 } = more;
  return probes.submit({ subject, idempotencyKey: key, content: { name, jobs } });
};
const accepted = async (key: string, more: Partial<ProbeContent> = {}): Promise<ProbeDocument> => {
  const result = await submit(key, more);
  if ('faults' in result) throw new Error(JSON.stringify(result.faults));
  return result.submission;
};
const stored = async ({ _id }: ProbeDocument) => (await probes.find([_id]))[0];
const written = () => db.collection('probes').countDocuments();

function job(
  { _id, taskId = '' }: ProbeDocument,
  taskIndex: number,
  state: JobState,
  more: Partial<RecordedJob> = {},
): RecordedJob {
  return { id: `job_${taskIndex}`, taskId, taskIndex, state, revision: 4, probe: _id, ...more };
}
const counts = (of: ProbeDocument, finishedJobs: number, lostJobs: number) =>
  waitFor(
    `${finishedJobs} finished and ${lostJobs} lost jobs`,
    async () => {
      const now = await stored(of);
      return now?.finishedJobs === finishedJobs && now.lostJobs === lostJobs && now;
    },
    { deadlineMs: 60_000 },
  );

describe('submission', () => {
  it('is stored, submitted to core under its own id, and marked', async () => {
    const probe = await accepted('k');
    expect(probe).toMatchObject({
      stage: 'OPEN',
      taskId: 'task_1',
      totalJobs: 3,
      finishedJobs: 0,
      submittedBy: 'somebody',
    });
    const [[key, { input }]] = [...system.core.tasks] as unknown as [[string, { input: unknown }]];
    expect(key).toBe(probe._id);
    expect(input).toMatchObject({
      experiment: 'alpha',
      template: { labels: [{ key: 'alpha-probe', value: probe._id }] },
    });
  });

  it('is created once for concurrent calls, also in several processes', async () => {
    const other = await openProbes(db, system.client);
    const request = { subject: 'somebody', idempotencyKey: 'k', content: { name: 'k', jobs: 3 } };
    const results = await Promise.all(
      [0, 1, 2, 3].map((at) => (at % 2 === 0 ? probes : other).submit(request)),
    );
    const ids = results.map((result) => ('submission' in result ? result.submission.taskId : result.faults));
    expect(new Set(ids)).toEqual(new Set(['task_1']));
    expect([await written(), system.core.tasks.size]).toEqual([1, 1]);
  });

  it('is identified under its key by subject and content', async () => {
    const first = await accepted('k');
    expect(await submit('k')).toMatchObject({ submission: { _id: first._id } });
    expect(await submit('k', { jobs: 4 })).toMatchObject({
      faults: [{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'] }],
    });
    expect(await submit('k', { subject: 'another', name: 'other' })).toMatchObject({
      submission: { submittedBy: 'another' },
    });
  });

  it('is rejected with the input path if it violates a unique index', async () => {
    await accepted('k', { name: 'n' });
    expect(await submit('another', { name: 'n' })).toMatchObject({
      faults: [{ code: 'NAME_TAKEN', path: ['name'] }],
    });
    expect(system.core.tasks.size).toBe(1);
  });

  it('reports errors from core by input path, and leaves nothing behind', async () => {
    const message = 'template.payload.command: "probe" is not valid; must be another';
    system.core.refusals = [{ message, path: ['template', 'payload', 'command'], code: 'INVALID_VALUE' }];
    expect(await submit('k')).toEqual({
      faults: [
        {
          message: 'name.command: "probe" is not valid; must be another',
          path: ['name', 'command'],
          code: 'INVALID_VALUE',
        },
      ],
    });
    expect(await written()).toBe(0);
    system.core.refusals = [];
    expect(await submit('k', { jobs: 4 })).toMatchObject({ submission: { totalJobs: 4 } });
  });

  it('is submitted again after a transient failure of core', async () => {
    system.core.failures = 2;
    expect((await accepted('k')).taskId).toBe('task_1');
    expect(system.core.calls).toBe(3);
  });

  it('is kept while core is unreachable, and submitted by the next caller', async () => {
    system.core.failures = 100;
    await expect(submit('k')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await db.collection('probes').findOne({})).toMatchObject({ stage: 'SUBMITTING' });
    system.core.failures = 0;
    expect((await accepted('k')).stage).toBe('OPEN');
    expect(await written()).toBe(1);
  });

  it('fails with FORBIDDEN, without a retry, if the token of the experiment may not submit', async () => {
    system.core.isForbidden = true;
    await expect(submit('k')).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: 'Core rejected the service token of this experiment: job:submit in "probe" is missing',
    });
    expect([system.core.calls, await written()]).toEqual([1, 0]);
    system.core.isForbidden = false;
    expect((await accepted('k')).stage).toBe('OPEN');
  });

  it('is submitted by the sweep if it was left behind', async () => {
    system.core.failures = 4;
    await expect(submit('k')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await probes.stop();
    probes = await openProbes(db, system.client, { sweepMs: 20 });
    system.core.failures = 6;
    await probes.start();
    await waitFor('the handing over', () => system.core.tasks.size === 1, { deadlineMs: 60_000 });
    await waitFor('its note', async () => (await db.collection('probes').findOne({}))?.['stage'] === 'OPEN', {
      deadlineMs: 60_000,
    });
  });

  it('is submitted by the sweep although another one before it cannot be', async () => {
    system.core.failures = Infinity;
    for (const key of ['first', 'second'])
      await expect(submit(key)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await probes.stop();
    system.core.failures = 0;
    system.core.unavailable = 'first';
    probes = await openProbes(db, system.client, { sweepMs: 20 });
    await probes.start();
    await waitFor('the task of the second', () => system.core.tasks.size === 1, { deadlineMs: 60_000 });
    system.core.unavailable = undefined;
    await waitFor('the task of the first', () => system.core.tasks.size === 2, { deadlineMs: 60_000 });
  });

  it('is found by its label if an earlier version described it differently', async () => {
    system.core.failures = 0;
    const probe = await accepted('k');
    await db.collection('probes').updateOne({}, { $set: { stage: 'SUBMITTING' }, $unset: { taskId: '' } });
    await probes.stop();
    probes = await openProbes(db, system.client, {
      toTask: (document) => ({ ...probeTask(document), name: 'by a newer version' }),
    });
    expect(await accepted('k')).toMatchObject({ _id: probe._id, taskId: probe.taskId });
    expect(system.core.tasks.size).toBe(1);
  });
});

describe('JobFollower', () => {
  it('counts jobs from events, and continues after the stored cursor', async () => {
    const probe = await accepted('k');
    await probes.start();
    await waitFor('the stream', () => system.core.opened.length === 1, { deadlineMs: 60_000 });
    system.core.addEvents(
      job(probe, 0, 'ACTIVATED', { revision: 1 }),
      job(probe, 0, 'FINISHED'),
      job(probe, 1, 'FAILED'),
    );
    expect(await counts(probe, 1, 1)).toMatchObject({ amounts: { worth: 1 } });
    await probes.stop();
    system.core.addEvents(job(probe, 2, 'FINISHED'));
    probes = await openProbes(db, system.client);
    await probes.start();
    expect(await counts(probe, 2, 1)).toMatchObject({ amounts: { worth: 4 } });
    expect(system.core.opened).toEqual([null, '3']);
  });

  it('reconnects by itself when the server is restarted', async () => {
    const probe = await accepted('k');
    await probes.start();
    await waitFor('the stream', () => system.core.opened.length === 1, { deadlineMs: 60_000 });
    system.core.addEvents(job(probe, 0, 'FINISHED'));
    await counts(probe, 1, 0);
    await system.restart();
    system.core.addEvents(job(probe, 1, 'FINISHED'), job(probe, 2, 'CANCELLED'));
    await counts(probe, 2, 1);
    expect(system.core.opened.slice(0, 2)).toEqual([null, '1']);
  });

  it('reads all jobs once after a gap, and then follows', async () => {
    const probe = await accepted('k', { jobs: 5 });
    system.core.jobs = [0, 1, 2, 3].map((at) => job(probe, at, at === 3 ? 'RUNNING' : 'FINISHED'));
    system.core.addEvents(job(probe, 0, 'FINISHED'), job(probe, 1, 'FINISHED'), job(probe, 2, 'FINISHED'));
    await db.collection('streamPlaces').insertOne({
      _id: 'jobStateChanged',
      schemaVersion: 1,
      revision: 1,
      updatedAt: new Date(0),
      cursor: '1',
    } as never);
    system.core.floor = 2;
    await probes.start();
    await counts(probe, 3, 0);
    system.core.addEvents(job(probe, 3, 'FAILED', { revision: 6 }), job(probe, 4, 'FINISHED'));
    await counts(probe, 4, 1);
    expect(system.core.opened).toEqual(['1', null]);
  });

  it('skips no event whose job cannot be read', async () => {
    const probe = await accepted('k');
    await probes.start();
    await waitFor('a place', () => db.collection('streamPlaces').findOne({}), { deadlineMs: 60_000 });
    system.core.addEvents({ ...job(probe, 0, 'FINISHED'), isBroken: 'now' });
    await waitFor('another try', () => system.core.opened.length >= 3, { deadlineMs: 60_000 });
    expect(await stored(probe)).toMatchObject({ finishedJobs: 0 });
    system.core.events[0] = job(probe, 0, 'FINISHED');
    await counts(probe, 1, 0);
  });

  it('stores a permanently unreadable event aside, continues with later events, and reads the jobs', async () => {
    await probes.stop();
    probes = await openProbes(db, system.client, { backoffMs: 10 });
    const probe = await accepted('k', { jobs: 4 });
    await probes.start();
    await waitFor('a place', () => db.collection('streamPlaces').findOne({}), { deadlineMs: 60_000 });
    system.core.jobs = [job(probe, 1, 'FAILED')];
    system.core.addEvents(
      job(probe, 0, 'FINISHED'),
      { ...job(probe, 1, 'FAILED'), isBroken: 'for good' },
      job(probe, 2, 'FINISHED'),
    );
    await counts(probe, 2, 1);
    await waitFor('the count', () => probes.following().deadLetters === 1, { deadlineMs: 60_000 });
    expect(await db.collection(deadLettersCollection.name).find({}).toArray()).toMatchObject([
      { _id: '2', code: 'BAD_USER_INPUT', message: 'the job cannot be read at all', tries: 6 },
    ]);
    system.core.addEvents(job(probe, 3, 'FINISHED'));
    await counts(probe, 3, 1);
    expect(probes.following()).toEqual({ isOpen: true, deadLetters: 1 });
    await probes.stop();
    probes = await openProbes(db, system.client);
    await probes.start();
    await waitFor('dead letters to be counted again', () => probes.following().deadLetters === 1, {
      deadlineMs: 60_000,
    });
  });

  it('ignores jobs of other experiments', async () => {
    const probe = await accepted('k');
    await probes.start();
    await waitFor('the stream', () => system.core.opened.length === 1, { deadlineMs: 60_000 });
    const { probe: _label, ...unlabelled } = job(probe, 0, 'FINISHED');
    system.core.addEvents(
      unlabelled,
      job(probe, 1, 'FINISHED', { taskId: 'task_9' }),
      job(probe, 2, 'FINISHED'),
    );
    expect(await counts(probe, 1, 0)).toMatchObject({ amounts: { worth: 3 } });
  });
});

describe('jobDetails', () => {
  const reader = testPrincipal({ grants: { alpha: 'READER' } });
  const ask = async (taskId: string, index: number, principal = reader) => {
    const loaders = new LoaderCache();
    loaders.bind({ principal, requestId: 'r', log: silentLogger(), loaders });
    return jobDetails({ action: 'task:read', experiment: 'alpha' }, () => probes.jobPositions)(
      { id: 'job', task: { id: taskId }, taskIndex: index },
      {},
      { loaders, principal },
    );
  };

  it('waits for a task that is being submitted', async () => {
    const submitting = submit('k');
    await waitFor('core', () => system.core.tasks.size === 1, { deadlineMs: 60_000 });
    expect(await ask('task_1', 2)).toMatchObject({ index: 2, submission: { name: 'k' } });
    await submitting;
  });

  it('returns null for foreign jobs, for unknown positions, and without permission to read jobs', async () => {
    await accepted('k');
    expect(await ask('task_1', 0)).not.toBeNull();
    expect(await ask('task_1', 3)).toBeNull();
    expect(await ask('task_2', 0)).toBeNull();
    expect(await ask('task_1', 0, testPrincipal({ grants: { beta: 'READER' } }))).toBeNull();
    const pilot = { kind: 'PILOT', subject: 'pilot:main' } as const;
    expect(await ask('task_1', 0, testPrincipal({ ...pilot, grants: 'PILOT' }))).toBeNull();
    expect(await ask('task_1', 0, testPrincipal({ ...pilot, grants: 'ADMIN' }))).toBeNull();
  });
});
