import { describe, expect, it } from '@jest/globals';
import { createIds } from '@rhizome/clock';
import { manualClock } from '@rhizome/testkit';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import { KnownSubmissions } from './known-submissions.js';

const clock = manualClock();
const submission = (taskId: string | undefined): SubmissionDocument => ({
  ...{ _id: 'run_1', schemaVersion: 1, revision: 1, createdAt: clock.now(), updatedAt: clock.now() },
  ...{ submittedBy: 'ann', idempotencyKey: 'k', digest: 'd', stage: 'OPEN', totalJobs: 3 },
  ...{ finishedJobs: 1, lostJobs: 0, amounts: {} },
  ...(taskId === undefined ? {} : { taskId }),
});

describe('KnownSubmissions', () => {
  it('holds the fields that do not change', () => {
    const known = new KnownSubmissions(clock);
    known.add(submission('task_1'));
    expect(known.get('task_1')).toMatchObject({ _id: 'run_1', totalJobs: 3, taskId: 'task_1' });
    for (const name of ['revision', 'updatedAt', 'stage', 'finishedJobs', 'lostJobs', 'amounts'])
      expect(known.get('task_1')).not.toHaveProperty(name);
  });

  it('holds nothing while core has no task', () => {
    const known = new KnownSubmissions(clock);
    known.add(submission(undefined));
    expect(known.get('undefined')).toBeUndefined();
  });

  it('evicts the least recently used entry above its limit', () => {
    const known = new KnownSubmissions(clock, 2);
    for (const taskId of ['task_1', 'task_2']) known.add(submission(taskId));
    known.get('task_1');
    known.add(submission('task_3'));
    expect(['task_1', 'task_2', 'task_3'].map((taskId) => known.get(taskId) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('remembers foreign tasks for a moment, but neither recent tasks nor submitted ones', () => {
    const known = new KnownSubmissions(clock);
    const taskId = createIds(clock).next('task');
    known.addForeign(taskId);
    expect(known.isForeign(taskId)).toBe(false);
    clock.advance(10_000);
    known.addForeign(taskId);
    expect(known.isForeign(taskId)).toBe(true);
    clock.advance(5000);
    expect(known.isForeign(taskId)).toBe(false);
    known.addForeign(taskId);
    known.add(submission(taskId));
    expect(known.isForeign(taskId)).toBe(false);
    known.addForeign('no id of ours');
    expect(known.isForeign('no id of ours')).toBe(false);
  });
});
