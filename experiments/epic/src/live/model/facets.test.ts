import { describe, expect, it } from '@jest/globals';
import { afterAnnouncement, isStateOf, phaseOf, type PhaseState } from './facets.js';
import type { FacetName, FacetState, Phase } from './live-run.types.js';

const time = (seconds: number): Date => new Date(seconds * 1000);
const fresh: PhaseState = { facets: {}, phase: 'IMMINENT', phaseSince: time(0) };
const settle = { now: time(100), settleSeconds: 10 };

/** The state after announcements, each with the seconds of its time. */
function after(...announced: readonly (readonly [FacetName, FacetState, number])[]) {
  return announced.reduce<{ change: PhaseState; isLate: boolean }>(
    ({ change }, [facet, state, at]) => afterAnnouncement(change, { facet, state, at: time(at) }, settle),
    { change: fresh, isLate: false },
  );
}

describe('phaseOf', () => {
  it.each<[Partial<Record<FacetName, FacetState>>, Phase, Phase]>([
    [{}, 'IMMINENT', 'IMMINENT'],
    [{ DAQ: 'READY', MACHINE: 'BEAM' }, 'IMMINENT', 'IMMINENT'],
    [{ DAQ: 'PHYSICS' }, 'IMMINENT', 'PHYSICS'],
    [{ DAQ: 'PHYSICS', OPERATOR: 'HOLD' }, 'PHYSICS', 'STANDBY'],
    [{ DAQ: 'PHYSICS', OPERATOR: 'HOLD' }, 'IMMINENT', 'IMMINENT'],
    [{ DAQ: 'PHYSICS', OPERATOR: 'GO', MACHINE: 'BEAM' }, 'STANDBY', 'PHYSICS'],
    [{ DAQ: 'PHYSICS', MACHINE: 'NO_BEAM' }, 'PHYSICS', 'STANDBY'],
    [{ DAQ: 'STANDBY' }, 'PHYSICS', 'STANDBY'],
    [{ DAQ: 'ENDED' }, 'PHYSICS', 'COMPLETED'],
    [{ OPERATOR: 'END', DAQ: 'PHYSICS' }, 'IMMINENT', 'COMPLETED'],
    [{ DAQ: 'PHYSICS' }, 'COMPLETED', 'COMPLETED'],
  ])('is derived from %j after %s: %s', (states, before, expected) => {
    const facets = Object.entries(states).map(([name, state]) => [name, { state, at: time(1) }]);
    expect(phaseOf(Object.fromEntries(facets), before)).toBe(expected);
  });
});

describe('afterAnnouncement', () => {
  it('changes the phase at the time of the announced state', () => {
    expect(after(['DAQ', 'PHYSICS', 5], ['DAQ', 'STANDBY', 9]).change).toMatchObject({
      phase: 'STANDBY',
      phaseSince: time(9),
    });
  });

  it('lets no announcement that is older than the state of its facet change anything', () => {
    const run = after(['DAQ', 'PHYSICS', 5]);
    const late = after(['DAQ', 'PHYSICS', 5], ['DAQ', 'READY', 4]);
    expect(late).toEqual({ change: run.change, isLate: true });
    expect(after(['DAQ', 'PHYSICS', 5], ['DAQ', 'STANDBY', 5]).isLate).toBe(true);
  });

  it('keeps the same facets in any order, and the phases that were announced', () => {
    const one = after(['MACHINE', 'NO_BEAM', 3], ['DAQ', 'PHYSICS', 5]);
    const other = after(['DAQ', 'PHYSICS', 5], ['MACHINE', 'NO_BEAM', 3]);
    expect(one.change.facets).toEqual(other.change.facets);
    expect([one.change.phase, other.change.phase]).toEqual(['IMMINENT', 'STANDBY']);
    // A facet that is older than the phase does not make the phase older.
    expect(other.change.phaseSince).toEqual(time(5));
  });

  it('accepts frames for a while after the end, which is final', () => {
    const ended = after(['DAQ', 'PHYSICS', 5], ['OPERATOR', 'END', 9]);
    expect(ended.change).toMatchObject({ phase: 'COMPLETED', closesAt: time(110) });
    const later = after(['DAQ', 'PHYSICS', 5], ['OPERATOR', 'END', 9], ['OPERATOR', 'GO', 10]);
    expect(later).toEqual({ change: ended.change, isLate: true });
  });
});

it('knows the states of each facet', () => {
  expect(isStateOf('MACHINE', 'BEAM')).toBe(true);
  expect(isStateOf('MACHINE', 'HOLD')).toBe(false);
});
