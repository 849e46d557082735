import {
  fetchesOf,
  type PathSegment,
  type LocatedFetch,
  locatedFetchesOf,
  type PlanNode,
} from '../plan-format.js';

/**
 * True if entities that an entity fetch of a subgraph returned are requested from the same subgraph again.
 * This may be necessary for fields that others require; the native planner also does it without need.
 */
export function hasRedundantFetch(node: PlanNode | null): boolean {
  const before: LocatedFetch[] = [];
  for (const placed of locatedFetchesOf(node)) {
    if (before.some((earlier) => brings(earlier, placed))) return true;
    if (isEntityFetch(placed)) before.push(placed);
  }
  return false;
}

/**
 * True if a plan has fewer fetches than another, or shorter chains of dependent ones, and not more of either.
 */
export function isShorter(plan: PlanNode | null, other: PlanNode | null): boolean {
  const fetches = [...fetchesOf(plan)].length - [...fetchesOf(other)].length;
  const rounds = roundsOf(plan) - roundsOf(other);
  return fetches <= 0 && rounds <= 0 && fetches + rounds < 0;
}

function isEntityFetch({ parts }: LocatedFetch): boolean {
  return parts.some(({ requires }) => requires !== undefined && requires.length > 0);
}

/** True if a fetch is for paths below those that an earlier fetch of the same subgraph completes. */
function brings(earlier: LocatedFetch, placed: LocatedFetch): boolean {
  if (earlier.fetch.serviceName !== placed.fetch.serviceName) return false;
  const above = pathsOf(earlier);
  return pathsOf(placed).some((place) => above.some((one) => one !== place && place.startsWith(one)));
}

function pathsOf({ parts }: LocatedFetch): string[] {
  return parts.flatMap(({ paths }) => paths.map((path) => path.map(stepText).join('')));
}

function stepText(segment: PathSegment): string {
  return segment !== '@' && 'Field' in segment ? `${segment.Field}/` : '';
}

/** Length of the longest chain of dependent fetches. */
function roundsOf(node: PlanNode | null | undefined): number {
  if (!node) return 0;
  if (node.kind === 'Sequence') return node.nodes.reduce((sum, child) => sum + roundsOf(child), 0);
  if (node.kind === 'Parallel') return Math.max(0, ...node.nodes.map(roundsOf));
  return 1;
}
