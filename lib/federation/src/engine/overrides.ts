import { createHash } from 'node:crypto';
import type { Overrides } from '../operation/operation.js';
import type { PlanningService } from '../planning/pool.js';
import type { ClientRequest } from './types.js';

/** Overrides by `percent(n)` are off at and above this value. */
const allOff = 100;

/**
 * Decides which progressive overrides are on for a request. Those by percentage follow the caller's subject,
 * so that one caller always sees the same side; shared reads follow their scope, anonymous ones the id of the
 * request.
 */
export function createOverrides(
  { labels, percentages }: PlanningService['overrides'],
  active: ReadonlySet<string> | undefined,
): (request: ClientRequest) => Overrides {
  const on = labels.filter((label) => active?.has(label));
  const label = on.join(',');
  const thresholds = [...new Set(percentages)].sort((a, b) => a - b);
  if (thresholds.length === 0) {
    const fixed: Overrides = { labels: on, percentage: allOff, key: label };
    return () => fixed;
  }
  return ({ principal, scope, requestId }) => {
    // A shared read is one for all callers with equal permissions: so is its side.
    const identity = principal?.shared ? scope : principal?.subject;
    const percentage = bucketOf(percentageOf(identity ?? requestId), thresholds);
    return { labels: on, percentage, key: `${label}@${percentage}` };
  };
}

/** Returns a number in [0, 100) that is always the same for the same text. */
function percentageOf(text: string): number {
  return (createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32) * 100;
}

/** Lowest value that switches the same overrides on: callers of one bucket share their plans. */
function bucketOf(value: number, thresholds: readonly number[]): number {
  let bucket = 0;
  for (const threshold of thresholds) if (value >= threshold) bucket = threshold;
  return bucket;
}
