/** Explains what the jobs of a task wait for while it is scouting, or what followed. Pure. */
import { hasTaskEnded, type TaskFacts } from '../task.document.js';
import type { StateCounts } from '../../jobs/ports.js';
import { plural } from '../../shared/plural.js';
import { endedOf } from '../../jobs/model/job-state.js';

/** One sentence about the scouts of a task. @param states jobs of the task by state */
export function scoutSummary(
  task: Pick<TaskFacts, 'scouts' | 'state' | 'createUpTo' | 'totalJobs'>,
  states: StateCounts,
): string {
  const { scouts, createUpTo, totalJobs } = task;
  if (!scouts) return 'The task has no scouts.';
  const { count, result } = scouts;
  const others = plural(totalJobs - count, 'job');
  if (result) {
    const early = result.by === undefined ? '' : `, when ${result.by} ended the scouting`;
    return `${result.finished} of ${plural(count, 'scout')} finished${early}; the requirements of the other ${others} follow from their use.`;
  }
  if (createUpTo === undefined || hasTaskEnded(task))
    return `The task was stopped before its ${plural(count, 'scout')} ended.`;
  const { FAILED: failed = 0 } = states;
  const failures = failed === 0 ? '' : `, ${failed} of them FAILED`;
  return `The other ${others} wait for the scouts: ${endedOf(states)} of ${count} have ended${failures}.`;
}
