/** Rules of phases: which phase follows from the facets, and what an announcement changes. */
import type { LiveRunDocument } from './live-run.document.js';
import { type FacetName, type FacetState, facetStates, type Phase } from './live-run.types.js';

/** Part of a run that announcements change. */
export type PhaseState = Pick<LiveRunDocument, 'facets' | 'phase' | 'phaseSince' | 'closesAt'>;

/** An announced state. */
export interface Announced {
  readonly facet: FacetName;
  readonly state: FacetState;
  readonly at: Date;
}

/** True if the facet may have the state. */
export function isStateOf(facet: FacetName, state: FacetState): boolean {
  return (facetStates[facet] as readonly string[]).includes(state);
}

/**
 * The phase that follows from the facets. DAQ or the operator ends a run; data are taken while DAQ says so,
 * the operator does not hold the run, and the machine is not known to be without beam.
 */
export function phaseOf(facets: PhaseState['facets'], before: Phase): Phase {
  const { MACHINE, DAQ, OPERATOR } = facets;
  if (before === 'COMPLETED' || DAQ?.state === 'ENDED' || OPERATOR?.state === 'END') return 'COMPLETED';
  const hasBeam = MACHINE?.state !== 'OFF' && MACHINE?.state !== 'NO_BEAM';
  if (DAQ?.state === 'PHYSICS' && OPERATOR?.state !== 'HOLD' && hasBeam) return 'PHYSICS';
  return before === 'IMMINENT' ? 'IMMINENT' : 'STANDBY';
}

/**
 * What an announcement changes. One that is older than the state of its facet, or that comes after the end of
 * the run, changes nothing (`isLate`).
 * @param settleSeconds time for which frames are accepted after the end
 */
export function afterAnnouncement(
  run: PhaseState,
  { facet, state, at }: Announced,
  settle: { readonly now: Date; readonly settleSeconds: number },
): { readonly change: PhaseState; readonly isLate: boolean } {
  const known = run.facets[facet];
  if (run.phase === 'COMPLETED' || (known && known.at >= at)) return { change: run, isLate: true };
  const facets = { ...run.facets, [facet]: { state, at } };
  const phase = phaseOf(facets, run.phase);
  if (phase === run.phase) return { change: { ...run, facets }, isLate: false };
  // A facet may be older than the phase that another one ended.
  const phaseSince = at > run.phaseSince ? at : run.phaseSince;
  const closesAt = new Date(settle.now.getTime() + settle.settleSeconds * 1000);
  return {
    change: { facets, phase, phaseSince, ...(phase === 'COMPLETED' ? { closesAt } : {}) },
    isLate: false,
  };
}
