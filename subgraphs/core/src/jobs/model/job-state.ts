/**
 * State machine of jobs as one table: from, to, actors, and the guard of the edge. Every change of a job's
 * state uses an edge of this table; the transition writer refuses all others. The state names are those of
 * PanDA; each state is entered by an event, never by polling.
 */

/** All states, in the order of a job's life cycle. */
export const jobStates = [
  'PENDING',
  'ACTIVATED',
  'THROTTLED',
  'SENT',
  'STARTING',
  'RUNNING',
  'HOLDING',
  'TRANSFERRING',
  'FINISHED',
  'FAILED',
  'CANCELLED',
  'CLOSED',
] as const;

/** State of a job. */
export type JobState = (typeof jobStates)[number];

/** Final states; no edge leaves them. */
export const terminalStates = [
  'FINISHED',
  'FAILED',
  'CANCELLED',
  'CLOSED',
] as const satisfies readonly JobState[];
/** States from which the job may still change. */
export const liveStates: readonly JobState[] = jobStates.filter((state) => !isTerminal(state));
/** States in which an attempt can be when its worker returns: the payload is at least being prepared. */
export const adoptedStates = [
  'STARTING',
  'RUNNING',
  'HOLDING',
  'TRANSFERRING',
] as const satisfies readonly JobState[];
/**
 * States in which a worker holds the job: it has an open attempt and a fence, and is requeued when the
 * worker's lease expires.
 */
export const heldStates = ['SENT', ...adoptedStates] as const satisfies readonly JobState[];
/** States in which an attempt may be ended for another job: its payload has not ended. */
export const preemptedStates = ['STARTING', 'RUNNING'] as const satisfies readonly JobState[];
/** States before the job is sent: it may be held, released and changed. */
export const waitingStates = ['PENDING', 'ACTIVATED', 'THROTTLED'] as const satisfies readonly JobState[];

/**
 * Actor of an edge. A principal acts through a mutation, a worker through its reports; the others are parts
 * of core.
 */
export type TransitionActor =
  'principal' | 'worker' | 'broker' | 'lease' | 'adoption' | 'dependency' | 'backoff' | 'system';

/**
 * Condition on the stored document in addition to its state. `fence`: the report carries the document's
 * current fence.
 */
export type TransitionGuard = 'none' | 'fence' | 'ready';

/** Edge of the state machine. */
export interface JobEdge {
  readonly from: JobState;
  readonly to: JobState;
  readonly actors: readonly TransitionActor[];
  /**
   * `fence`: the document's fence equals the fence of the report. `ready`: the document has no unfinished
   * parent, no hold and no backoff in progress. Every edge is also guarded by its `from` state.
   */
  readonly guard: TransitionGuard;
  /** Meaning of the edge, for documentation and messages. */
  readonly meaning: string;
}

const edge = (
  from: JobState,
  to: JobState,
  actors: readonly TransitionActor[],
  guard: TransitionGuard,
  meaning: string,
): JobEdge => ({ from, to, actors, guard, meaning });

const fromEach = (states: readonly JobState[], make: (from: JobState) => JobEdge): readonly JobEdge[] =>
  states.map(make);

/** All edges. */
export const jobEdges: readonly JobEdge[] = [
  edge('PENDING', 'ACTIVATED', ['dependency', 'backoff', 'principal'], 'ready', 'the job is ready to run'),
  edge(
    'PENDING',
    'PENDING',
    ['principal'],
    'none',
    'held, released while it still waits for something else, or changed',
  ),
  edge(
    'ACTIVATED',
    'ACTIVATED',
    ['principal', 'broker'],
    'none',
    'changed, or other jobs are preempted for it',
  ),
  edge('THROTTLED', 'THROTTLED', ['principal'], 'none', 'changed'),
  edge('ACTIVATED', 'PENDING', ['principal'], 'none', 'held'),
  edge('THROTTLED', 'PENDING', ['principal'], 'none', 'held'),
  edge('ACTIVATED', 'THROTTLED', ['broker'], 'none', 'its owner exceeds the limit of the share'),
  edge('THROTTLED', 'ACTIVATED', ['broker'], 'none', 'its owner is below that limit again'),
  edge('ACTIVATED', 'SENT', ['broker'], 'none', 'granted to a worker'),
  edge('SENT', 'STARTING', ['worker', 'adoption'], 'fence', 'the worker prepares the payload'),
  edge('SENT', 'RUNNING', ['worker', 'adoption'], 'fence', 'the payload runs'),
  edge('STARTING', 'RUNNING', ['worker'], 'fence', 'the payload runs'),
  edge('RUNNING', 'HOLDING', ['worker'], 'fence', 'the payload succeeded, outputs are being registered'),
  edge(
    'RUNNING',
    'TRANSFERRING',
    ['worker'],
    'fence',
    'the payload succeeded, outputs are being transferred',
  ),
  edge('HOLDING', 'TRANSFERRING', ['worker'], 'fence', 'outputs are being transferred'),
  ...fromEach(['RUNNING', 'HOLDING', 'TRANSFERRING'], (from) =>
    edge(from, 'FINISHED', ['worker'], 'fence', 'succeeded'),
  ),
  ...fromEach(heldStates, (from) =>
    edge(
      from,
      'ACTIVATED',
      ['worker', 'lease'],
      'fence',
      'the attempt failed or its worker was lost; another follows',
    ),
  ),
  ...fromEach(heldStates, (from) =>
    edge(
      from,
      'PENDING',
      ['worker', 'lease'],
      'fence',
      'the attempt failed; another follows after a backoff',
    ),
  ),
  ...fromEach(heldStates, (from) =>
    edge(from, 'FAILED', ['worker', 'lease'], 'fence', 'the last attempt failed'),
  ),
  ...([...waitingStates, 'SENT'] as const).flatMap((from) =>
    adoptedStates
      .filter((to) => from !== 'SENT' || to === 'HOLDING' || to === 'TRANSFERRING')
      .map((to) => edge(from, to, ['adoption'], 'fence', 'the worker of an earlier attempt returned')),
  ),
  ...fromEach(preemptedStates, (state) =>
    edge(state, state, ['adoption', 'broker'], 'fence', 'the pilot started again, or the job is preempted'),
  ),
  ...fromEach(['HOLDING', 'TRANSFERRING'], (state) =>
    edge(state, state, ['adoption'], 'fence', 'the pilot started again and continues the attempt'),
  ),
  ...fromEach([...waitingStates, ...heldStates], (from) =>
    edge(from, 'CANCELLED', ['principal'], 'none', 'ended by a principal'),
  ),
  ...fromEach([...waitingStates, ...heldStates], (from) =>
    edge(from, 'CLOSED', ['system', 'dependency'], 'none', 'ended by the system'),
  ),
];

const edgesByKey = new Map(jobEdges.map((e) => [`${e.from}>${e.to}`, e]));

/** The edge between two states, or undefined if the machine has none. */
export function findEdge(from: JobState, to: JobState): JobEdge | undefined {
  return edgesByKey.get(`${from}>${to}`);
}

/** Returns true if the state is final. */
export function isTerminal(state: JobState): boolean {
  return (terminalStates as readonly JobState[]).includes(state);
}

/** Returns true if a worker holds a job in this state. */
export function isHeld(state: JobState): boolean {
  return (heldStates as readonly JobState[]).includes(state);
}

/** Returns true if an attempt in this state may be ended for another job. */
export function isPreemptedIn(state: JobState): boolean {
  return (preemptedStates as readonly JobState[]).includes(state);
}

/** Returns whether the job has not been sent. */
export function isWaiting(state: JobState): boolean {
  return (waitingStates as readonly JobState[]).includes(state);
}

/** Number of ended jobs. */
export function endedOf(counts: Readonly<Partial<Record<JobState, number>>>): number {
  return terminalStates.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}
