/**
 * Words of the API that clients show and take, where the schema's own types do not reach. Nothing else is
 * needed for them.
 */

/** States of a job that has not ended, in the order of its life. */
export const liveJobStates = [
  'PENDING',
  'ACTIVATED',
  'THROTTLED',
  'SENT',
  'STARTING',
  'RUNNING',
  'HOLDING',
  'TRANSFERRING',
] as const;

/** States of a job that ended otherwise than well. */
export const failedJobStates = ['FAILED', 'CANCELLED', 'CLOSED'] as const;

/** All states of a job, in the order of its life. */
export const jobStates = [...liveJobStates, 'FINISHED', ...failedJobStates] as const;
