import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { anEntry, aReadyJob, someRequirements } from '../../../test/support/scheduler.fixture.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { StoredLastEvent } from '../../jobs/model/job.types.js';
import { TaskAdmission } from '../dispatch/task-admission.js';
import { RequirementClasses } from '../requirements/requirement-classes.js';
import { Ledger } from './ledger.js';
import { ReadyWindows } from './ready-windows.js';
import type { ReadyJobOfKind, ReadyKind } from './ready-jobs.repository.js';
import { WindowFeed } from './window-feed.js';

const share = 'alpha/default';

function changed(jobId: string, change: Partial<StoredLastEvent>): JobEvent {
  const last: StoredLastEvent = {
    ...{ revision: 2, from: 'ACTIVATED', to: 'ACTIVATED', at: new Date(0), actor: 'a', attempt: 0 },
    ...{ experiment: 'alpha', share, owner: 'o', labels: [], classId: 'c', priority: 0, fence: 0 },
    ...change,
  };
  return { jobId, last, token: '' };
}

function aFeed(stored: readonly ReadyJobOfKind[] = []) {
  const ledger = new Ledger();
  const requirements = someRequirements();
  const classes = new RequirementClasses({
    findMany: async (ids) =>
      ids.map((_id) => ({ _id, schemaVersion: 1, revision: 1, createdAt: new Date(0), requirements })),
  });
  const jobs = {
    ready: async () => [],
    readyByIds: async () => stored,
    readyKinds: async function* () {
      yield* [];
    },
  };
  const { signal } = new AbortController();
  const feed = new WindowFeed(
    {
      ...{ jobs, classes, ledger, log: silentLogger(), signal },
      ...{ suspendedTasks: { get: () => undefined }, limitedTasks: { get: () => undefined } },
    },
    () => undefined,
  );
  /** Ids of the jobs in the window of a class and share. */
  const inWindow = (classId: string, path = share): string | undefined =>
    feed.windows.find(path, classId)?.head?.id;
  return { feed, ledger, inWindow };
}

describe('WindowFeed', () => {
  it('moves a job whose requirements and share have changed to the window of its kind', async () => {
    const { feed, inWindow } = aFeed([{ kind: { classId: 'c', share }, job: aReadyJob('job_1') }]);
    for (const [path, classId] of [
      [share, 'c'],
      ['alpha/other', 'd'],
    ] as const) {
      const window = feed.windows.open(path, classId);
      window.endRefill(window.beginRefill(), []);
    }
    await feed.putBack(['job_1']);
    expect(inWindow('c')).toBe('job_1');
    const moved = { share: 'alpha/other', previousShare: share, classId: 'd', previousClassId: 'c' };
    feed.applyEvents([changed('job_1', { ...moved, generation: 1 })]);
    expect(inWindow('c')).toBeUndefined();
    expect(inWindow('d', 'alpha/other')).toBe('job_1');
    expect(feed.windows.find('alpha/other', 'd')?.head?.generation).toBe(1);
  });

  it('puts a job back whose change was reported while it was being granted', async () => {
    const job = aReadyJob('job_1', { generation: 1 });
    const { feed, ledger, inWindow } = aFeed([{ kind: { classId: 'd', share }, job }]);
    const window = feed.windows.open(share, 'd');
    window.endRefill(window.beginRefill(), []);
    ledger.add(anEntry({ jobId: 'job_1', fence: Infinity }));
    feed.applyEvents([changed('job_1', { classId: 'd', previousClassId: 'c', generation: 1 })]);
    expect(inWindow('d')).toBeUndefined();
    ledger.release('job_1', Infinity);
    await feed.putBack(['job_1']);
    expect(inWindow('d')).toBe('job_1');
  });
});

describe('TaskAdmission', () => {
  it('admits jobs of each kind, also behind many that no worker can run', async () => {
    const [windows, ledger] = [new ReadyWindows(), new Ledger()];
    const task = { id: 'task_1', name: 'limited', limit: 2, shares: [share], lastJobId: 'job_500' };
    const stored = Array.from({ length: 500 }, (_, index): ReadyJobOfKind => {
      const id = `job_${String(index).padStart(3, '0')}`;
      return { kind: { share, classId: index < 300 ? 'large' : 'small' }, job: aReadyJob(id) };
    });
    let reads = 0;
    const readyOfTask = async (_id: string, limit: number, without: readonly ReadyKind[] = []) => {
      reads += 1;
      const others = stored.filter(({ kind }) => !without.some(({ classId }) => classId === kind.classId));
      return others.slice(0, limit);
    };
    const { signal } = new AbortController();
    const admission = new TaskAdmission(
      {
        ...{ ledger, windows, signal, log: silentLogger(), classes: { load: async () => undefined } },
        limitedTasks: { get: () => task, all: () => [task] },
        suspendedTasks: { get: () => undefined },
        jobs: { readyOfTask },
      },
      () => undefined,
    );
    const checked = async (): Promise<readonly (string | undefined)[]> => {
      admission.check(task.id);
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return ['large', 'small'].map((kind) => windows.find(share, kind, task.id)?.last?.id);
    };
    expect(await checked()).toEqual(['job_001', 'job_301']);
    const before = reads;
    expect(await checked()).toEqual(['job_001', 'job_301']);
    expect(reads).toBe(before);
    // The first of the others are over.
    stored.splice(300, 2);
    for (const id of ['job_300', 'job_301']) admission.forget(task.id, id);
    expect(await checked()).toEqual(['job_001', 'job_303']);
  });
});
