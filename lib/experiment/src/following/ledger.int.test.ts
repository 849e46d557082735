import { beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { seededRandom, type TestDatabase, testDatabase } from '@rhizome/testkit';
import { collection, ensureCollections } from '@rhizome/mongo';
import { type ProbeDocument, probesCollection } from '../example-submissions.fixture.js';
import { collectionsOf } from '../submissions.js';
import type { JobFact } from './job-fact.js';
import { Ledger } from './ledger.repository.js';
import type { NodeRun } from './node-state.document.js';

let db: TestDatabase;
let ledger: Ledger<ProbeDocument>;

const open = () =>
  new Ledger<ProbeDocument>({
    db,
    definition: probesCollection,
    amountsOf: (_probe, index, outcome) => (outcome === 'FINISHED' ? { worth: index + 1 } : {}),
    clock: systemClock,
  });

beforeEach(async () => {
  db = await testDatabase('ledger');
  await ensureCollections(db, collectionsOf([probesCollection] as never));
  ledger = open();
});

const probes = () => collection(db, probesCollection);
const stored = async (_id: string) => probes().findOne({ _id });

async function write(_id: string, totalJobs: number, more: Partial<ProbeDocument> = {}): Promise<void> {
  await probes().insertOne({
    _id,
    schemaVersion: 1,
    revision: 1,
    createdAt: systemClock.now(),
    updatedAt: systemClock.now(),
    submittedBy: 'somebody',
    idempotencyKey: _id,
    digest: '',
    stage: 'OPEN',
    taskId: `task of ${_id}`,
    totalJobs,
    finishedJobs: 0,
    lostJobs: 0,
    amounts: {},
    name: _id,
    ...more,
  });
}

const fact = (
  submissionId: string,
  index: number,
  state: JobFact['state'],
  revision = 4,
  jobId = `job_1_${index}`,
): JobFact => ({
  submissionId,
  coreId: `task of ${submissionId}`,
  index,
  jobId,
  revision,
  state,
});

describe('Ledger', () => {
  it('adds up ended jobs, and stores the cursor with the sums', async () => {
    await write('a', 3);
    await ledger.record(
      [fact('a', 0, 'FINISHED'), fact('a', 1, 'FAILED'), fact('a', 2, 'ACTIVATED', 1)],
      'c1',
    );
    expect(await stored('a')).toMatchObject({
      finishedJobs: 1,
      lostJobs: 1,
      amounts: { worth: 1 },
      stage: 'OPEN',
      revision: 2,
    });
    expect(await ledger.cursor()).toBe('c1');
    await ledger.record([], 'c2');
    expect(await ledger.cursor()).toBe('c2');
    await ledger.forgetCursor();
    expect(await ledger.cursor()).toBeNull();
  });

  it('ignores repeated events, in any order and from several processes at once', async () => {
    await write('a', 40);
    await write('b', 40);
    const facts = ['a', 'b'].flatMap((id) =>
      Array.from({ length: 40 }, (_, index) => [
        fact(id, index, 'FAILED', 4, `job_1_${index}`),
        fact(id, index, 'ACTIVATED', 1, `job_2_${index}`),
        fact(id, index, index % 4 === 0 ? 'CANCELLED' : 'FINISHED', 4, `job_2_${index}`),
      ]).flat(),
    );
    const random = seededRandom(7);
    const shuffled = () =>
      [...facts]
        .map((one) => [random(), one] as const)
        .sort(([x], [y]) => x - y)
        .map(([, one]) => one);
    const takers = [ledger, open(), open()];
    await Promise.all(
      takers.map(async (taker) => {
        const all = [...shuffled(), ...shuffled()];
        for (let at = 0; at < all.length; at += 37) await taker.record(all.slice(at, at + 37), `c${at}`);
      }),
    );
    const worth = Array.from({ length: 40 }, (_, index) => (index % 4 === 0 ? 0 : index + 1)).reduce(
      (sum, one) => sum + one,
    );
    for (const id of ['a', 'b'])
      expect(await stored(id)).toMatchObject({ finishedJobs: 30, lostJobs: 10, amounts: { worth } });
  });

  it('counts a repeated job in place of the job that it repeats', async () => {
    await write('a', 1);
    await ledger.record([fact('a', 0, 'FINISHED', 4, 'job_1')], 'c1');
    expect(await stored('a')).toMatchObject({ stage: 'DONE', finishedJobs: 1, amounts: { worth: 1 } });
    await ledger.record([fact('a', 0, 'ACTIVATED', 1, 'job_2')], 'c2');
    expect(await stored('a')).toMatchObject({
      stage: 'OPEN',
      finishedJobs: 0,
      lostJobs: 0,
      amounts: { worth: 0 },
    });
    await ledger.record([fact('a', 0, 'CLOSED', 2, 'job_2')], 'c3');
    expect(await stored('a')).toMatchObject({ finishedJobs: 0, lostJobs: 1 });
    expect(
      await ledger.outcomes([
        { submissionId: 'a', index: 0 },
        { submissionId: 'a', index: 1 },
      ]),
    ).toEqual(['LOST', 'WAITING']);
  });

  it('keeps the newest job of a node with the one before, and adds up what earlier jobs took', async () => {
    await write('a', 2);
    const run = (jobId: string, jobRevision: number, more: Partial<NodeRun> = {}): NodeRun => ({
      ...{ jobId, jobRevision, state: 'RUNNING', isHeld: false, memoryMiB: 1, cores: 1, attempts: 1 },
      ...{ coreSeconds: 0, lostCoreSeconds: 0 },
      ...more,
    });
    const of = (one: NodeRun): JobFact => ({
      ...fact('a', 1, one.state as JobFact['state'], one.jobRevision, one.jobId),
      run: one,
    });
    const failed = run('job_1', 4, { state: 'FAILED', coreSeconds: 5, lostCoreSeconds: 5 });
    const again = run('job_2', 4, { state: 'FAILED', coreSeconds: 7, lostCoreSeconds: 7 });
    const last = run('job_3', 2);
    await ledger.record([of(run('job_1', 2))], 'c1');
    expect((await stored('a'))?.revision).toBe(2);
    for (const facts of [[failed], [again, failed], [last], [again, run('job_1', 2)]])
      await Promise.all([ledger, open()].map((taker) => taker.record(facts.map(of), 'c2')));
    expect(await ledger.nodeStates('a', 0, 2)).toMatchObject([
      { _id: 'a/0000001', run: last, before: again, spent: { coreSeconds: 12, lostCoreSeconds: 12 } },
    ]);
    expect(await ledger.nodeStates('a', 0, 1)).toEqual([]);
    // The end of a job and the next job of the node come together.
    const ended = { ...last, jobRevision: 4, state: 'FAILED', coreSeconds: 3, lostCoreSeconds: 3 };
    const next = run('job_4', 1);
    await ledger.record([next, ended].map(of), 'c3');
    expect(await ledger.nodeStates('a', 0, 2)).toMatchObject([
      { run: next, before: ended, spent: { coreSeconds: 15, lostCoreSeconds: 15 } },
    ]);
  });

  it('ignores a job that belongs to no submission, whatever its label says', async () => {
    await write('a', 2);
    const strange = [
      { ...fact('a', 0, 'FINISHED'), coreId: 'another task' },
      fact('a', 2, 'FINISHED'),
      fact('nobody', 0, 'FINISHED'),
    ];
    await ledger.record(strange, 'c1');
    expect(await stored('a')).toMatchObject({ finishedJobs: 0, revision: 1 });
    expect(await ledger.cursor()).toBe('c1');
  });

  it('records events of a task whose id is not stored yet, and leaves the stage to the submitter', async () => {
    await write('a', 1, { stage: 'SUBMITTING' });
    await probes().updateOne({ _id: 'a' }, { $unset: { taskId: '' } });
    await ledger.record([fact('a', 0, 'FINISHED')], 'c1');
    expect(await stored('a')).toMatchObject({ stage: 'SUBMITTING', finishedJobs: 1 });
  });

  it('records nothing and keeps its cursor when a write fails', async () => {
    await write('a', 2);
    await ledger.record([fact('a', 0, 'FINISHED')], 'c1');
    await probes().updateOne({ _id: 'a' }, { $set: { finishedJobs: 0 } });
    // The sum would fall below nothing, which the validator refuses: position and cursor must stay with it.
    await expect(
      ledger.record([fact('a', 0, 'ACTIVATED', 1, 'job_2'), fact('a', 1, 'FAILED')], 'c2'),
    ).rejects.toThrow();
    expect(await ledger.cursor()).toBe('c1');
    expect(
      await ledger.outcomes([
        { submissionId: 'a', index: 0 },
        { submissionId: 'a', index: 1 },
      ]),
    ).toEqual(['FINISHED', 'WAITING']);
  });
});
