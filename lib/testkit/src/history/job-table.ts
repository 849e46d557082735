/**
 * The states of a job, stated again for the checker, so that an error in core's table is not repeated here. A
 * test of core requires that the two agree.
 */

/** Final states. */
export const finalStates: ReadonlySet<string> = new Set(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);
/** States in which a worker has the job. */
export const heldStates: ReadonlySet<string> = new Set([
  'SENT',
  'STARTING',
  'RUNNING',
  'HOLDING',
  'TRANSFERRING',
]);
/** States in which the job waits for a worker. */
const waitingStates: ReadonlySet<string> = new Set(['PENDING', 'ACTIVATED', 'THROTTLED']);

const begun = ['STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING'];

/** States that may follow a state. */
export const nextStates: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    PENDING: ['PENDING', 'ACTIVATED', ...begun, 'CANCELLED', 'CLOSED'],
    ACTIVATED: ['ACTIVATED', 'PENDING', 'THROTTLED', 'SENT', ...begun, 'CANCELLED', 'CLOSED'],
    THROTTLED: ['THROTTLED', 'PENDING', 'ACTIVATED', ...begun, 'CANCELLED', 'CLOSED'],
    SENT: [...begun, 'ACTIVATED', 'PENDING', 'FAILED', 'CANCELLED', 'CLOSED'],
    STARTING: ['STARTING', 'RUNNING', 'ACTIVATED', 'PENDING', 'FAILED', 'CANCELLED', 'CLOSED'],
    RUNNING: [
      ...['RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED'],
      ...['ACTIVATED', 'PENDING', 'FAILED', 'CANCELLED', 'CLOSED'],
    ],
    HOLDING: [
      ...['HOLDING', 'TRANSFERRING', 'FINISHED'],
      ...['ACTIVATED', 'PENDING', 'FAILED', 'CANCELLED', 'CLOSED'],
    ],
    TRANSFERRING: [
      ...['TRANSFERRING', 'FINISHED'],
      ...['ACTIVATED', 'PENDING', 'FAILED', 'CANCELLED', 'CLOSED'],
    ],
    FINISHED: [],
    FAILED: [],
    CANCELLED: [],
    CLOSED: [],
  } satisfies Record<string, readonly string[]>).map(([from, to]) => [from, new Set<string>(to)]),
);

/** States in which a job is submitted. */
export const firstStates: ReadonlySet<string> = new Set(['PENDING', 'ACTIVATED']);

/** Returns true if the event makes an earlier attempt valid again, or moves one to another worker. */
export function isAdoption(from: string | null, to: string, isNewFence: boolean): boolean {
  return from !== null && begun.includes(to) && (waitingStates.has(from) || isNewFence);
}

/** Continuity of attempts that state none. */
export const defaultContinuity = { continueSeconds: 86_400, reassignAfterSeconds: 600 };
