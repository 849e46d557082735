/** Words of live runs. */

/** Kinds of paths. */
export const pathNames = ['FAST', 'FULL'] as const;
export type PathName = (typeof pathNames)[number];

/** States that each facet may have. */
export const facetStates = {
  MACHINE: ['OFF', 'NO_BEAM', 'BEAM'],
  DAQ: ['NOT_READY', 'READY', 'PHYSICS', 'STANDBY', 'ENDED'],
  OPERATOR: ['GO', 'HOLD', 'END'],
} as const;
export type FacetName = keyof typeof facetStates;
export type FacetState = (typeof facetStates)[FacetName][number];
export const facetNames = Object.keys(facetStates) as readonly FacetName[];

/** Phases of a run. */
export const phases = ['IMMINENT', 'PHYSICS', 'STANDBY', 'COMPLETED'] as const;
export type Phase = (typeof phases)[number];

/**
 * Stage of a run: it accepts frames; it accepts none any more; all of its slices have ended and its fleets
 * are gone.
 */
export const liveRunStages = ['OPEN', 'CLOSED', 'ENDED'] as const;
export type LiveRunStage = (typeof liveRunStages)[number];

/** Reasons for the state of a feed. */
export const feedReasons = [
  'FED',
  'PHASE',
  'HIGH_MARK',
  'POOL_FULL',
  'BREAKER',
  'PROBE',
  'HELD',
  'LANE_CLOSED',
] as const;
export type FeedReason = (typeof feedReasons)[number];

/** States of the breaker of a site. */
export const breakerStates = ['CLOSED', 'OPEN', 'HALF_OPEN', 'HELD'] as const;
export type BreakerState = (typeof breakerStates)[number];

/** Author of what nobody called for. */
export const regulatorName = 'epic:regulator';
