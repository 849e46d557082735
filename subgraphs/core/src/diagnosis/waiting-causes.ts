/** Causes for which a job waits, and actions that may help. Pure. */
import type { ConstraintFacts, PendingKind } from '../scheduler/explain/pending.types.js';
import { plural } from '../shared/plural.js';
import type { Action, Cause, CauseKind, Evidence } from './diagnosis.types.js';
import type { JobFacts, QueueFacts, RelatedJob } from './job-facts.types.js';

/** Kind of the cause for which a job waits. */
export const kindOfPending: Readonly<Record<PendingKind, CauseKind>> = {
  HELD: 'HELD',
  PARENTS: 'PARENTS',
  BACKOFF: 'BACKOFF',
  TASK_PAUSED: 'TASK_SUSPENDED',
  TASK_STOPPING: 'TASK_SUSPENDED',
  LIMIT: 'LIMIT',
  NO_WORKERS: 'NO_WORKERS',
  NO_MATCH: 'NO_MATCH',
  CAPACITY: 'CAPACITY',
  READY: 'CAPACITY',
  CONTACT_LOST: 'WORKER',
};
/** Ends the pause of a task. */
export const resumeTask = (taskId: string): Action => ({
  ...{ title: 'Resume the task', operation: 'resumeTask', variables: { input: { taskId } } },
  ...{ effect: 'All jobs of the task may start.', isUndoable: true },
});

/** Kinds for which the constraints of the job do not matter. */
const withoutConstraints: ReadonlySet<PendingKind> = new Set<PendingKind>([
  ...([
    'HELD',
    'PARENTS',
    'BACKOFF',
    'TASK_PAUSED',
    'TASK_STOPPING',
    'CONTACT_LOST',
    'READY',
    'LIMIT',
  ] as const),
]);
const mostConstraints = 3;

/** Causes for which a job waits, not ranked; empty if it does not. */
export function waitingCauses(facts: JobFacts): readonly Cause[] {
  const { pending, queue } = facts;
  if (!pending) return [];
  const kind = kindOfPending[pending.kind];
  const evidence = [...evidenceOf(facts), ...constraintEvidence(facts)];
  return [
    { kind, statement: pending.summary, confidence: 1, evidence },
    ...(queue ? queueCauses(ofJobs(queue), facts.now) : []),
  ];
}

/** A queue in TEST or BROKEROFF takes the jobs that name it. */
function ofJobs(queue: QueueFacts): QueueFacts {
  return queue.state === 'TEST' || queue.state === 'BROKEROFF' ? { ...queue, state: 'ONLINE' } : queue;
}

function evidenceOf({ job, pending, parents = [] }: JobFacts): readonly Evidence[] {
  const { hold, notBefore } = job;
  if (pending?.kind === 'HELD' && hold)
    return [{ kind: 'TRANSITION', text: `Held by ${hold.by}: ${hold.reason}`, since: hold.at }];
  if (pending?.kind === 'PARENTS') return parents.map(parentEvidence);
  if (pending?.kind === 'BACKOFF' && notBefore)
    return [{ kind: 'TRANSITION', text: `The next attempt starts after ${notBefore.toISOString()}.` }];
  if (kindOfPending[pending?.kind ?? 'READY'] === 'TASK_SUSPENDED' && job.taskId !== undefined)
    return [
      { kind: 'TRANSITION', text: 'Its task gets no workers.', target: { kind: 'TASK', id: job.taskId } },
    ];
  return [];
}

function parentEvidence({ _id: id, name, state }: RelatedJob): Evidence {
  return { kind: 'JOB', text: `${name ?? id} is ${state}.`, target: { kind: 'JOB', id } };
}

/** The constraints that fewest workers meet, and changes with which more would. */
function constraintEvidence({ pending }: JobFacts): readonly Evidence[] {
  if (!pending || withoutConstraints.has(pending.kind) || pending.workersConsidered === 0) return [];
  const strict = [...pending.constraints]
    .filter(({ workersThatPass }) => workersThatPass < pending.workersConsidered)
    .sort((one, other) => one.workersThatPass - other.workersThatPass)
    .slice(0, mostConstraints);
  return [
    ...strict.map((one) => constraintText(one, pending.workersConsidered)),
    ...pending.relaxations.slice(0, mostConstraints).map(({ change, workersGained }): Evidence => ({
      kind: 'CONSTRAINT',
      text: `${plural(workersGained, 'more worker')} could run it with ${change}.`,
      count: workersGained,
    })),
  ];
}

function constraintText({ constraint, workersThatPass, reasons }: ConstraintFacts, all: number): Evidence {
  const why = reasons[0] === undefined ? '' : `: ${reasons[0]}`;
  return {
    kind: 'CONSTRAINT',
    text: `${workersThatPass} of ${plural(all, 'worker')} ${workersThatPass === 1 ? 'meets' : 'meet'} "${constraint}"${why}.`,
    count: workersThatPass,
  };
}

/** Causes in the state of the queue that the job requires. */
export function queueCauses(queue: QueueFacts, now: Date): readonly Cause[] {
  const { name, state, stateReason, stateChangedAt: since, downtimes, hostProblem } = queue;
  const target = { kind: 'QUEUE', id: name } as const;
  const found: Cause[] = [];
  const active = downtimes.find(({ startsAt, endsAt }) => startsAt <= now && endsAt > now);
  if (active) {
    const text = `Queue ${name} is down until ${active.endsAt.toISOString()}: ${active.reason}.`;
    const evidence: Evidence = { kind: 'DOWNTIME', text, target, since: active.startsAt };
    found.push({ kind: 'DOWNTIME', statement: text, confidence: 1, evidence: [evidence] });
  }
  if (state !== 'ONLINE') {
    const text = `Queue ${name} is ${state}${stateReason === undefined ? '' : `: ${stateReason}`}.`;
    const evidence: Evidence = { kind: 'QUEUE', text, target, since };
    const confidence = state === 'OFFLINE' || state === 'PAUSED' ? 1 : 0.5;
    found.push({ kind: 'DOWNTIME', statement: text, confidence, evidence: [evidence] });
  }
  if (hostProblem !== undefined) {
    const text = `Core could not submit the canary job that tests hosts of queue ${name}: ${hostProblem}.`;
    found.push({
      kind: 'HOST',
      statement: text,
      confidence: 0.5,
      evidence: [{ kind: 'QUEUE', text, target }],
    });
  }
  return found;
}

/** Actions for a job that waits. */
export function waitingActions({ job: { _id, revision, taskId }, pending }: JobFacts): readonly Action[] {
  const selection = { ids: [_id] };
  const idempotencyKey = `diagnosis:${_id}:${revision}`;
  if (pending?.kind === 'HELD')
    return [
      {
        ...{ title: 'Release the job', operation: 'releaseJobs' },
        variables: { input: { selection, idempotencyKey: `${idempotencyKey}:release` } },
        ...{ effect: 'Ends the hold: a worker may get the job.', isUndoable: true },
      },
    ];
  if (pending?.kind === 'TASK_PAUSED' && taskId !== undefined) return [resumeTask(taskId)];
  if (pending?.kind !== 'NO_MATCH') return [];
  const relaxed = pending.relaxations[0];
  const cancel: Action = {
    ...{ title: 'Cancel the job', operation: 'cancelJobs' },
    variables: {
      input: {
        ...{ selection, reason: 'No worker meets its requirements.' },
        idempotencyKey: `${idempotencyKey}:cancel`,
      },
    },
    ...{ effect: 'Ends the job, which no known worker can run.', isUndoable: false },
  };
  if (!relaxed) return [cancel];
  const effect = `Submit the job again with ${relaxed.change}: ${plural(relaxed.workersGained, 'worker')} could run it.`;
  return [{ title: 'Change the requirement', effect, isUndoable: false }, cancel];
}
