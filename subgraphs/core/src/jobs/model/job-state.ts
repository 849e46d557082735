/**
 * The job's state machine as one table: from, to, who, and what guards the edge. Everything that changes a job's state goes through an edge
 * of this table; the transition writer refuses any other. Source of the words: PanDA; each state is entered by an event, never by polling.
 */

/** All states, in the order of a life. */
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

/** A state of a job. */
export type JobState = (typeof jobStates)[number];

/** Final: no edge leaves these. */
export const terminalStates = [
  'FINISHED',
  'FAILED',
  'CANCELLED',
  'CLOSED',
] as const satisfies readonly JobState[];
/** A worker holds the job: it has an open attempt, a fence, and goes back when the worker's lease ends. */
export const heldStates = [
  'SENT',
  'STARTING',
  'RUNNING',
  'HOLDING',
  'TRANSFERRING',
] as const satisfies readonly JobState[];
/** Not yet sent: may be held, released, re-prioritised. */
export const waitingStates = ['PENDING', 'ACTIVATED', 'THROTTLED'] as const satisfies readonly JobState[];

/** Who may take an edge. A principal acts through a mutation; a worker through its reports; the rest are parts of core. */
export type TransitionActor =
  'principal' | 'worker' | 'broker' | 'lease' | 'dependency' | 'backoff' | 'system';

/** What must hold in the stored document beside its state. `fence`: the word carries the document's current fence. */
export type TransitionGuard = 'none' | 'fence' | 'ready';

/** One edge of the machine. */
export interface JobEdge {
  readonly from: JobState;
  readonly to: JobState;
  readonly actors: readonly TransitionActor[];
  /**
   * `fence`: the document's fence equals the one of the word. `ready`: the document waits for no parent, has no hold and no backoff that
   * is still due. Every edge is guarded by its `from` state.
   */
  readonly guard: TransitionGuard;
  /** What the edge means, for documentation and for messages. */
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
  edge(
    'PENDING',
    'ACTIVATED',
    ['dependency', 'backoff', 'principal'],
    'ready',
    'nothing holds the job back any more',
  ),
  edge(
    'PENDING',
    'PENDING',
    ['principal'],
    'none',
    'held, released while something else still holds it back, or its priority was changed',
  ),
  edge('ACTIVATED', 'ACTIVATED', ['principal'], 'none', 'its priority was changed'),
  edge('THROTTLED', 'THROTTLED', ['principal'], 'none', 'its priority was changed'),
  edge('ACTIVATED', 'PENDING', ['principal'], 'none', 'held'),
  edge('THROTTLED', 'PENDING', ['principal'], 'none', 'held'),
  edge(
    'ACTIVATED',
    'THROTTLED',
    ['broker'],
    'none',
    'its owner is over the limit of the share for one owner',
  ),
  edge('THROTTLED', 'ACTIVATED', ['broker'], 'none', 'its owner is under that limit again'),
  edge('ACTIVATED', 'SENT', ['broker'], 'none', 'granted to a worker'),
  edge('SENT', 'STARTING', ['worker'], 'fence', 'the worker prepares the payload'),
  edge('SENT', 'RUNNING', ['worker'], 'fence', 'the payload runs'),
  edge('STARTING', 'RUNNING', ['worker'], 'fence', 'the payload runs'),
  edge('RUNNING', 'HOLDING', ['worker'], 'fence', 'the payload ended well, outputs are being registered'),
  edge('RUNNING', 'TRANSFERRING', ['worker'], 'fence', 'the payload ended well, outputs are being moved'),
  edge('HOLDING', 'TRANSFERRING', ['worker'], 'fence', 'outputs are being moved'),
  ...fromEach(['RUNNING', 'HOLDING', 'TRANSFERRING'], (from) =>
    edge(from, 'FINISHED', ['worker'], 'fence', 'ended well'),
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
    edge(from, 'FAILED', ['worker', 'lease'], 'fence', 'the attempt failed and none is left'),
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

/** Whether a job in this state never changes it again. */
export function isTerminal(state: JobState): boolean {
  return (terminalStates as readonly JobState[]).includes(state);
}

/** Whether a worker holds a job in this state. */
export function isHeld(state: JobState): boolean {
  return (heldStates as readonly JobState[]).includes(state);
}
