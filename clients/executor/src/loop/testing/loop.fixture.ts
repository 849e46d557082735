/** For tests: facts and settings of the loop. */
import type { Demand, LoopSettings, OpenPilot, QueueLimits } from '../loop.types.js';

/** Demand of a class of the experiment alpha. */
export function demandOf(changes: Partial<Demand> = {}): Demand {
  const missingJobs = changes.missingJobs ?? 0;
  return {
    ...{ classId: 'class_a', experiment: 'alpha', waitingJobs: missingJobs, missingJobs },
    ...{ shape: 'small', jobsPerPilot: 1, reason: undefined },
    ...changes,
  };
}

/** A pilot that was just submitted. */
export function pilotOf(changes: Partial<OpenPilot> = {}): OpenPilot {
  return {
    ...{ id: 'p-0', batch: 'pilot_A', number: 0, classId: 'class_a', experiment: 'alpha' },
    ...{ state: 'SUBMITTED', batchJobId: '1_0', requestedAtMs: 0, changedAtMs: 0, worker: undefined },
    ...changes,
  };
}

/** Settings with limits of a small site. */
export function settingsOf({
  isDraining = false,
  ...limits
}: Partial<QueueLimits> & { readonly isDraining?: boolean } = {}): LoopSettings {
  return {
    isDraining,
    limits: {
      ...{
        open: 100,
        pending: 100,
        held: 10,
        perCycle: 100,
        perMinute: 60,
        perClass: 1000,
        perExperiment: {},
      },
      ...limits,
    },
    times: { idleMs: 300_000, submitMs: 120_000, unknownMs: 600_000, heldMs: 600_000, codeMs: 86_400_000 },
  };
}
