/** Numbers of the jobs of a fleet. Pure, without I/O. */
import { isHeld, isTerminal, type JobState } from '../../jobs/model/job-state.js';
import type { FleetMember } from './fleet.types.js';

/** Jobs of a fleet that have not ended. */
export interface FleetJobCounts {
  /** Jobs that wait to run. */
  readonly waiting: number;
  /** Jobs that workers hold, without released ones. */
  readonly running: number;
  /** Jobs that receive no further units. */
  readonly released: number;
  /** Jobs of an earlier version of the template, without released ones. */
  readonly outdated: number;
}

/** Counts jobs by their states; those without one do not count. @param version of the template */
export function jobCountsOf(
  members: readonly FleetMember[],
  states: ReadonlyMap<string, JobState>,
  version: number,
): FleetJobCounts {
  const counts = { waiting: 0, running: 0, released: 0, outdated: 0 };
  for (const member of members) {
    const state = states.get(member.id);
    if (state === undefined || isTerminal(state)) continue;
    if (member.releasedAt) counts.released += 1;
    else {
      counts[isHeld(state) ? 'running' : 'waiting'] += 1;
      if (member.version < version) counts.outdated += 1;
    }
  }
  return counts;
}
