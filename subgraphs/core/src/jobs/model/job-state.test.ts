import { describe, expect, it } from '@jest/globals';
import { nextStates } from '@rhizome/testkit';
import {
  findEdge,
  heldStates,
  isHeld,
  isTerminal,
  jobEdges,
  jobStates,
  terminalStates,
  waitingStates,
  type JobState,
  type TransitionActor,
} from './job-state.js';

/** Expected state machine, one edge per line: from, to, actors. */
const plan: readonly (readonly [JobState, JobState, readonly TransitionActor[]])[] = [
  ['PENDING', 'ACTIVATED', ['dependency', 'backoff', 'principal']],
  ['PENDING', 'PENDING', ['principal']],
  ['ACTIVATED', 'ACTIVATED', ['principal', 'broker']],
  ['THROTTLED', 'THROTTLED', ['principal']],
  ['ACTIVATED', 'PENDING', ['principal']],
  ['THROTTLED', 'PENDING', ['principal']],
  ['ACTIVATED', 'THROTTLED', ['broker']],
  ['THROTTLED', 'ACTIVATED', ['broker']],
  ['ACTIVATED', 'SENT', ['broker']],
  ['SENT', 'STARTING', ['worker', 'adoption']],
  ['SENT', 'RUNNING', ['worker', 'adoption']],
  ['SENT', 'HOLDING', ['adoption']],
  ['SENT', 'TRANSFERRING', ['adoption']],
  ...(['PENDING', 'ACTIVATED', 'THROTTLED'] as const).flatMap((from) =>
    (['STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING'] as const).map(
      (to) => [from, to, ['adoption']] as const,
    ),
  ),
  ...(['STARTING', 'RUNNING'] as const).map((state) => [state, state, ['adoption', 'broker']] as const),
  ...(['HOLDING', 'TRANSFERRING'] as const).map((state) => [state, state, ['adoption']] as const),
  ['STARTING', 'RUNNING', ['worker']],
  ['RUNNING', 'HOLDING', ['worker']],
  ['RUNNING', 'TRANSFERRING', ['worker']],
  ['HOLDING', 'TRANSFERRING', ['worker']],
  ['RUNNING', 'FINISHED', ['worker']],
  ['HOLDING', 'FINISHED', ['worker']],
  ['TRANSFERRING', 'FINISHED', ['worker']],
  ...(['SENT', 'STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING'] as const).flatMap((from) =>
    (['ACTIVATED', 'PENDING', 'FAILED'] as const).map((to) => [from, to, ['worker', 'lease']] as const),
  ),
  ...(
    ['PENDING', 'ACTIVATED', 'THROTTLED', 'SENT', 'STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING'] as const
  ).flatMap((from) => [
    [from, 'CANCELLED', ['principal']] as const,
    [from, 'CLOSED', ['system', 'dependency']] as const,
  ]),
];

describe('the state machine', () => {
  it('has the specified edges and actors', () => {
    const sorted = (edges: readonly (readonly unknown[])[]) =>
      edges.map((edge) => JSON.stringify(edge)).sort();
    expect(sorted(jobEdges.map(({ from, to, actors }) => [from, to, actors]))).toEqual(sorted(plan));
  });

  it('has no edge out of a terminal state', () => {
    expect(jobEdges.filter(({ from }) => isTerminal(from))).toEqual([]);
    for (const from of terminalStates) for (const to of jobStates) expect(findEdge(from, to)).toBeUndefined();
  });

  it('guards every report, loss and return of a worker by the fence', () => {
    for (const { actors, guard, from, to } of jobEdges) {
      if (actors.some((actor) => actor === 'worker' || actor === 'lease' || actor === 'adoption'))
        expect([from, to, guard]).toEqual([from, to, 'fence']);
    }
  });

  it('divides the states into waiting, held and terminal', () => {
    expect([...waitingStates, ...heldStates, ...terminalStates].sort()).toEqual([...jobStates].sort());
    expect(jobStates.filter(isHeld)).toEqual([...heldStates]);
  });

  it('leads from a submit to every state, and from every live state to an end', () => {
    const reach = (start: readonly JobState[]): Set<JobState> => {
      const found = new Set(start);
      for (const state of found) for (const { from, to } of jobEdges) if (from === state) found.add(to);
      return found;
    };
    expect([...reach(['PENDING'])].sort()).toEqual([...jobStates].sort());
    for (const state of [...waitingStates, ...heldStates])
      expect([...reach([state])].some(isTerminal)).toBe(true);
  });
});

it('is the table by which histories are checked', () => {
  const checked = [...nextStates].flatMap(([from, to]) => [...to].map((state) => `${from} ${state}`));
  expect(jobEdges.map(({ from, to }) => `${from} ${to}`).sort()).toEqual(checked.sort());
});
