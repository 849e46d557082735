import { can, type Principal } from '@rhizome/authz';
import type { BodyAllowance } from '@rhizome/subgraph';
import type { GatewayLimits } from './limits.js';

type BodyLimits = Pick<GatewayLimits, 'bodyBytes' | 'reportBodyBytes' | 'smallBodyBytes'>;

/**
 * The largest body that a caller may send: large bodies only if it may submit jobs or tasks. Without
 * authentication every caller is local and may.
 */
export function bodyAllowanceOf(
  principal: Principal | undefined,
  limits: BodyLimits,
  authenticates: boolean,
): BodyAllowance {
  const maxBytes = Math.min(limits.bodyBytes, largestOf(principal, limits, authenticates));
  return { maxBytes, subject: principal?.subject ?? '' };
}

function largestOf(principal: Principal | undefined, limits: BodyLimits, authenticates: boolean): number {
  if (!principal) return authenticates ? limits.smallBodyBytes : limits.bodyBytes;
  if (can(principal, 'job:submit') || can(principal, 'task:submit')) return limits.bodyBytes;
  return can(principal, 'jobLog:append') ? limits.reportBodyBytes : limits.smallBodyBytes;
}
