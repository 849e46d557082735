/** Diagnosis of a task. Pure. */
import type { StateCounts } from '../jobs/ports.js';
import { liveStates } from '../jobs/model/job-state.js';
import type { PendingFacts } from '../scheduler/explain/pending.types.js';
import { plural } from '../shared/plural.js';
import { hasTaskEnded, type TaskFacts } from '../tasks/task.document.js';
import type { Action, Cause, Diagnosis } from './diagnosis.types.js';
import { causesByCode, type CountedFailures, groupCauses } from './failure-groups.js';
import { byShare, ranked } from './ranking.js';
import { kindOfPending, resumeTask } from './waiting-causes.js';

/** Facts of a task. */
export interface TaskDiagnosisFacts {
  readonly task: TaskFacts;
  /** Jobs by state. */
  readonly states: StateCounts;
  readonly failures: CountedFailures;
  /** Codes of failed jobs that were not retried; absent if they are not known. */
  readonly failedCodes?: readonly string[];
  /** Explanation of one of its jobs that wait; absent if none waits. */
  readonly pending?: PendingFacts | null | undefined;
}

/** Explains what blocks a task, and what its jobs fail by. */
export function diagnoseTask(facts: TaskDiagnosisFacts): Diagnosis {
  const { task, failures } = facts;
  const causes = ranked([...blockingCauses(facts), ...groupCauses(failures)], byShare);
  const first = causes[0];
  return {
    summary: `${countsText(facts)}${first ? ` ${first.statement}` : ''}`,
    since: task.control?.at ?? failures.groups[0]?.firstAt ?? null,
    causes,
    helped: [],
    actions: actionsOf(facts, causes),
  };
}

function countsText({ task: { state, totalJobs }, states }: TaskDiagnosisFacts): string {
  const { FINISHED: finished = 0, FAILED: failed = 0 } = states;
  const live = liveStates.reduce((sum, one) => sum + (states[one] ?? 0), 0);
  return `The task is ${state}: ${finished} of ${plural(totalJobs, 'job')} finished, ${failed} failed, ${live} have not ended.`;
}

function blockingCauses({ task, states, pending }: TaskDiagnosisFacts): readonly Cause[] {
  if (hasTaskEnded(task)) return [];
  const { control, state, dataset } = task;
  const found: Cause[] = [];
  if (control && (state === 'PAUSED' || state === 'STOPPING')) {
    const reason = control.reason === undefined ? '' : `: ${control.reason}`;
    const statement = `${control.action} by ${control.by}${reason}.`;
    const evidence = [{ kind: 'TRANSITION', text: statement, since: control.at } as const];
    found.push({ kind: 'TASK_SUSPENDED', statement, confidence: 1, evidence });
  }
  if (dataset?.awaited) {
    const { index, files, unavailable } = dataset.awaited;
    const statement = `${unavailable} of ${plural(files, 'input')} of job ${index} are not available yet.`;
    found.push({ kind: 'INPUT', statement, confidence: 1, evidence: [] });
  }
  if (pending && (states.RUNNING ?? 0) === 0 && state !== 'PAUSED' && state !== 'STOPPING')
    found.push(pendingCause(pending));
  return found;
}

function pendingCause({ kind, summary }: PendingFacts): Cause {
  const own = kindOfPending[kind];
  const evidence = [{ kind: 'CONSTRAINT', text: summary } as const];
  return { kind: own, statement: `No job of it runs. One that waits: ${summary}`, confidence: 0.9, evidence };
}

/** Fraction of the failures from which a cause decides how the failed jobs are retried. */
const leastShare = 0.8;
/** Changes with which failed jobs are retried together, by cause. */
const changes = {
  MEMORY: ['twice the memory', { memory: { factor: 2 } }],
  WALLTIME: ['twice the walltime', { walltime: { factor: 2 } }],
} as const;

function actionsOf(facts: TaskDiagnosisFacts, causes: readonly Cause[]): readonly Action[] {
  const { task, states, failures } = facts;
  const resume = task.state === 'PAUSED' ? [resumeTask(task._id)] : [];
  if ((states.FAILED ?? 0) === 0) return resume;
  const main = mainKind(facts, causes);
  const change = main === 'MEMORY' || main === 'WALLTIME' ? changes[main] : undefined;
  const latest = Math.max(0, ...failures.groups.map(({ lastAt }) => lastAt.getTime()));
  const retries = change ? [retryOfFailed(task._id, states.FAILED ?? 0, latest, change)] : [];
  return [...resume, ...retries];
}

/**
 * Cause of most failures: of the jobs that failed if they are known, because others may have finished after
 * other failures.
 */
function mainKind(
  { failures, failedCodes = [] }: TaskDiagnosisFacts,
  causes: readonly Cause[],
): Cause['kind'] | undefined {
  const main = causes.find(({ share = 0 }) => share >= leastShare)?.kind;
  if (failedCodes.length === 0) return main;
  const kindOf = new Map(causesByCode(failures).map(({ code, cause }) => [code, cause.kind]));
  const failedBy = failedCodes.map((code) => kindOf.get(code));
  return failedBy.find(
    (kind) => failedBy.filter((other) => other === kind).length >= leastShare * failedBy.length,
  );
}

/**
 * Retry of all failed jobs that were not retried: a bulk change cannot select them by the codes of their
 * errors. A later failure gives the retry another key.
 */
function retryOfFailed(
  taskId: string,
  failed: number,
  latest: number,
  [what, requirements]: (typeof changes)[keyof typeof changes],
): Action {
  return {
    title: `Retry the ${plural(failed, 'failed job')} with ${what}`,
    operation: 'retryJobs',
    variables: {
      input: {
        selection: { filter: { taskIds: [taskId], states: ['FAILED'] } },
        idempotencyKey: `diagnosis:${taskId}:${failed}:${latest}:${Object.keys(requirements).join()}`,
        isUnlessRetried: true,
        changes: { requirements },
      },
    },
    effect: 'Submits a new job for each failed one that was not retried, in its place in the task.',
    isUndoable: true,
  };
}
