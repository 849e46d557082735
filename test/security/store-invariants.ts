/** Invariants of everything that core has stored: whatever callers sent, nothing is half written. */
import type { TestClient } from '@rhizome/testkit';

interface Attempt {
  readonly number: number;
  readonly workerId: string;
  readonly queueId: string;
  readonly endedAt?: Date;
}

interface Job {
  readonly _id: string;
  readonly revision: number;
  readonly experiment: string;
  readonly share: string;
  readonly taskId?: string;
  readonly state: string;
  readonly attempt: number;
  readonly attempts: readonly Attempt[];
  readonly fence: number;
  readonly dependsOn: readonly string[];
  readonly waitingFor: readonly string[];
  readonly last: { readonly to: string; readonly revision: number };
  readonly transitions: readonly { readonly revision: number; readonly from: string; readonly to: string }[];
}

interface Task {
  readonly _id: string;
  readonly state: string;
  readonly totalJobs: number;
  readonly createdJobs: number;
  readonly createUpTo?: number;
}

const heldStates = ['SENT', 'STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING'];
const finalStates = ['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED'];
const states = ['PENDING', 'ACTIVATED', 'THROTTLED', ...heldStates, ...finalStates];

/** Everything that a job may refer to. */
interface Known {
  readonly jobs: ReadonlySet<string>;
  readonly tasks: ReadonlySet<string>;
  readonly workers: ReadonlySet<string>;
  readonly queues: ReadonlySet<string>;
  readonly experiments: ReadonlySet<string>;
}

/** Violated invariants, in words; empty if all hold. */
export async function faultsIn(store: TestClient): Promise<readonly string[]> {
  const core = store.db('core');
  const idsOf = async (collection: string): Promise<ReadonlySet<string>> =>
    new Set((await core.collection<{ _id: string }>(collection).find().toArray()).map(({ _id }) => _id));
  const jobs = await core.collection<Job>('jobs').find().toArray();
  const tasks = await core.collection<Task>('tasks').find().toArray();
  const experiments = await core.collection<{ _id: string; name?: string }>('experiments').find().toArray();
  const known: Known = {
    jobs: await idsOf('jobs'),
    tasks: await idsOf('tasks'),
    workers: await idsOf('workers'),
    queues: await idsOf('queues'),
    experiments: new Set(experiments.flatMap(({ _id, name }) => [_id, name ?? _id])),
  };
  return [
    ...jobs.flatMap((job) => faultsOfJob(job, known)),
    ...tasks.flatMap((task) => faultsOfTask(task, jobs)),
  ];
}

function faultsOfJob(job: Job, known: Known): readonly string[] {
  const faults: string[] = [];
  const check = (isFine: boolean, fault: string): void => {
    if (!isFine) faults.push(`job ${job._id}: ${fault}`);
  };
  const { state, attempts, attempt } = job;
  check(states.includes(state), `its state ${state} does not exist`);
  check(known.experiments.has(job.experiment), `its experiment ${job.experiment} does not exist`);
  check(job.share.startsWith(`${job.experiment}/`), `its share ${job.share} belongs to another experiment`);
  check(job.taskId === undefined || known.tasks.has(job.taskId), `its task ${job.taskId} does not exist`);
  check(
    job.dependsOn.every((id) => known.jobs.has(id)),
    'a parent does not exist',
  );
  check(
    job.waitingFor.every((id) => job.dependsOn.includes(id)),
    'it waits for a job that is no parent',
  );
  check(
    attempts.every(({ number }, at) => number === at + 1),
    'its attempts have gaps',
  );
  check(attempts.length === attempt, `it has ${attempts.length} attempts and counts ${attempt}`);
  check(
    attempts.every(({ workerId }) => known.workers.has(workerId)),
    'an attempt has no worker',
  );
  check(
    attempts.every(({ queueId }) => known.queues.has(queueId)),
    'an attempt has no queue',
  );
  const open = attempts.filter(({ endedAt }) => endedAt === undefined);
  check(open.length === (heldStates.includes(state) ? 1 : 0), `${open.length} attempts are open in ${state}`);
  check(attempt === 0 || job.fence > 0, 'it was granted without a fence');
  return [...faults, ...faultsOfHistory(job)];
}

function faultsOfHistory({ _id, state, revision, last, transitions }: Job): readonly string[] {
  const faults: string[] = [];
  const check = (isFine: boolean, fault: string): void => {
    if (!isFine) faults.push(`job ${_id}: ${fault}`);
  };
  check(last.to === state, `its last event leads to ${last.to}, its state is ${state}`);
  check(last.revision <= revision, 'its last event has a later revision than itself');
  for (const [at, { from, to, revision: after }] of transitions.entries()) {
    const before = transitions[at - 1];
    check(!finalStates.includes(from), `it left the final state ${from}`);
    if (before) {
      check(before.to === from, `${before.to} is followed by a change from ${from}`);
      check(after > before.revision, `revision ${after} follows ${before.revision}`);
    }
    check(states.includes(to), `it was in the state ${to}, which does not exist`);
  }
  return faults;
}

function faultsOfTask(task: Task, jobs: readonly Job[]): readonly string[] {
  const { _id, state, totalJobs, createdJobs, createUpTo: due = totalJobs } = task;
  const own = jobs.filter(({ taskId }) => taskId === _id).length;
  if (state === 'EXPANDING') return [`task ${_id}: it is still expanding`];
  // Retried jobs of a task are further jobs of it.
  if (createdJobs === due && own >= due) return [];
  return [`task ${_id}: it has ${own} jobs, created ${createdJobs} and should have ${due}`];
}

/** True when no task is being expanded and no recorded change is being applied. */
export async function isAtRest(store: TestClient): Promise<boolean> {
  const core = store.db('core');
  const expanding = await core.collection('tasks').countDocuments({ state: 'EXPANDING' });
  const changing = await core.collection('bulkOperations').countDocuments({ state: 'RUNNING' });
  return expanding + changing + (await core.collection('taskParameterSets').countDocuments()) === 0;
}
