import { expect, it } from '@jest/globals';
import { aQueue, aShare, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { explainPending, type PendingWorld } from './pending.js';
import type { PendingKind, WaitingJob } from './pending.types.js';

interface Case {
  readonly job?: Partial<WaitingJob>;
  readonly requirements?: Partial<StoredRequirements>;
  readonly world?: Partial<PendingWorld>;
  readonly hasNoWorker?: true;
}

const suspended = {
  id: 'task_1',
  name: 'sim',
  shares: ['alpha/default'],
  lastJobId: 'job_9',
  control: { action: 'PAUSE', by: 'ada', at: new Date(0) },
} as const;

it.each<[PendingKind, Case]>([
  ['READY', {}],
  ['NO_WORKERS', { hasNoWorker: true }],
  ['NO_MATCH', { requirements: { cores: 64 } }],
  ['HELD', { job: { hold: { by: 'ada', reason: 'wait', at: new Date(0) } } }],
  ['PARENTS', { job: { state: 'PENDING', waitingFor: ['job_0'] } }],
  ['BACKOFF', { job: { state: 'PENDING', notBefore: new Date(0) } }],
  ['LIMIT', { job: { state: 'THROTTLED' } }],
  ['LIMIT', { world: { taskLimit: { name: 'sim', limit: 1 } } }],
  ['TASK_PAUSED', { world: { task: { ...suspended, isStopping: false } } }],
  ['TASK_STOPPING', { world: { task: { ...suspended, isStopping: true } } }],
])('has the kind %s for its main reason', (kind, { job, requirements, world, hasNoWorker }) => {
  const fleet = new Fleet();
  fleet.setQueues([aQueue({})]);
  fleet.setShares([aShare({})]);
  if (!hasNoWorker) fleet.set(aWorker({ id: 'worker_1', hardware: { cores: 32 } }));
  const wanted = someRequirements({ diskMiB: 0, ...requirements });
  const classId = classIdOf(wanted);
  const waiting: WaitingJob = {
    ...{ _id: 'job_1', state: 'ACTIVATED', share: 'alpha/default', owner: 'ada', priority: 0, classId },
    ...{ waitingFor: [], ...job },
  };
  const found = explainPending(
    waiting,
    prepareClass(classId, 0, wanted, 1),
    { fleet, ledger: new Ledger(), nowMs: 0, ...world },
    { position: 0, isPositionEstimated: false, inClass: 0 },
  );
  expect(found.kind).toBe(kind);
});
