import { describe, expect, it } from '@jest/globals';
import { collection, runMigrations } from '@rhizome/mongo';
import { testDatabase, waitFor } from '@rhizome/testkit';
import { coreMigrations } from '../../src/composition/migrations.js';
import {
  bulkOperationsCollection,
  type BulkOperationDocument,
} from '../../src/jobs/bulk/bulk-operation.document.js';
import { planJobFilter, type JobCriteria } from '../../src/jobs/model/job-filter.js';
import { someone, testDomain } from '../support/job-domain.fixture.js';
import { aJob } from '../support/job.fixture.js';

const now = new Date('2026-01-01T00:00:00Z');
/** Names that earlier versions stored. */
const old = { taskId: 't', owner: 'a', queueId: 'q', share: 'alpha/default', label: 'k=v' };

function anOperation(criteria: object, over: Partial<BulkOperationDocument> = {}): BulkOperationDocument {
  return {
    _id: 'op_1',
    schemaVersion: 1,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    kind: 'CANCEL',
    state: 'RUNNING',
    requester: { kind: someone.kind, subject: someone.subject, grants: someone.grants },
    parameters: {},
    criteria: criteria as JobCriteria,
    visible: '*',
    upTo: 'job_Z',
    isBackground: true,
    totalCount: 1,
    changedCount: 0,
    refusedCount: 0,
    refusedByReason: {},
    refusals: [],
    ...over,
  };
}

describe('the migration of recorded bulk operations', () => {
  it('rewrites their old criteria as lists, once, and keeps all others', async () => {
    const db = await testDatabase('criteria');
    await runMigrations(db, coreMigrations.slice(0, 1));
    const operations = collection(db, bulkOperationsCollection);
    await operations.insertMany([
      anOperation({ ...old, states: ['PENDING'] }),
      anOperation({ owners: ['b', 'c'] }, { _id: 'op_2' }),
      anOperation({ label: 'x' }, { _id: 'op_3', state: 'DONE' }),
    ]);
    await runMigrations(db, coreMigrations);
    const rewritten = [
      {
        taskIds: ['t'],
        owners: ['a'],
        queueIds: ['q'],
        shares: ['alpha/default'],
        labels: ['k=v'],
        states: ['PENDING'],
      },
      { owners: ['b', 'c'] },
      { labels: ['x'] },
    ];
    const read = async () =>
      (await operations.find().sort({ _id: 1 }).toArray()).map(({ criteria }) => criteria);
    expect(await read()).toEqual(rewritten);
    // As after a crash before the record of the migration.
    const migration = coreMigrations.find(({ id }) => id === '0002-bulk-criteria-as-lists');
    await migration?.up(db, new AbortController().signal);
    expect(await read()).toEqual(rewritten);
  });

  it('restricts the jobs that the resumed operation changes', async () => {
    const domain = await testDomain('resumed');
    const process = await domain.process({ leads: false });
    await process.stores.jobs.insertNew([
      aJob('job_00A', { owner: someone.subject, share: 'alpha/other' }),
      aJob('job_00B', { owner: someone.subject }),
    ]);
    await collection(domain.db, bulkOperationsCollection).insertOne(anOperation({ share: 'alpha/other' }));
    await runMigrations(domain.db, coreMigrations);
    process.leader.gain();
    await waitFor(
      'the operation to be done',
      async () => (await process.stores.operations.find('op_1'))?.state === 'DONE',
      { deadlineMs: 60_000 },
    );
    expect([(await domain.read('job_00A')).state, (await domain.read('job_00B')).state]).toEqual([
      'CANCELLED',
      'ACTIVATED',
    ]);
  });

  it('lets no operation that fails hold up the others', async () => {
    const domain = await testDomain('failing');
    const process = await domain.process({ leads: false });
    const operations = collection(domain.db, bulkOperationsCollection);
    const failing = Array.from({ length: 12 }, (_, at) =>
      anOperation({ colour: 'red' }, { _id: `op_0${at + 10}` }),
    );
    await operations.insertMany([...failing, anOperation({ owners: ['nobody'] }, { _id: 'op_2' })]);
    process.leader.gain();
    await waitFor(
      'the operation to be done',
      async () => (await process.stores.operations.find('op_2'))?.state === 'DONE',
      { deadlineMs: 60_000 },
    );
    expect(await operations.countDocuments({ state: 'RUNNING' })).toBe(failing.length);
  });

  it('is needed: the planner refuses unknown conditions', () => {
    expect(() => planJobFilter(old as JobCriteria, '*', ['alpha'])).toThrow(
      'the filter of jobs has unknown conditions: taskId, owner, queueId, share, label',
    );
  });
});
