/** Explains where a job goes after a failure. Pure. */
import { firstOf, plural } from '../../shared/plural.js';
import type { Fleet } from '../cache/fleet.js';
import { experimentOf } from '../cache/ready-windows.js';
import { alternatives } from '../placement/elsewhere.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { WaitingJob } from './pending.types.js';

/** Maximum number of hosts or sites named. */
const maxNamed = 3;

/** Sentence about the hosts and sites that a job avoids; undefined if it may go anywhere. */
export function avoidanceReason(
  { avoid, share }: Pick<WaitingJob, 'avoid' | 'share'>,
  cls: RequirementClass,
  { fleet, wallMs }: { readonly fleet: Fleet; readonly wallMs?: number | undefined },
): string | undefined {
  if (!avoid || wallMs === undefined || avoid.until.getTime() <= wallMs) return undefined;
  const where = [named('host', avoid.hosts), named('site', avoid.sites)].filter((one) => one !== undefined);
  const until = `until ${avoid.until.toISOString()}`;
  const does = avoid.isRequired ? 'must not run' : 'prefers not to run';
  const wish = `After a failure there, its next attempt ${does} on ${where.join(' or ')} ${until}`;
  const { elsewhere, onAnotherHost } = alternatives(avoid, { fleet, wallMs }, cls, experimentOf(share));
  if (elsewhere > 0) return `${wish}; ${plural(elsewhere, 'other worker')} could run it.`;
  if (avoid.isRequired) return `${wish}; no other worker could run it.`;
  if (onAnotherHost > 0)
    return `${wish}; no worker of another site could run it, but ${plural(onAnotherHost, 'worker')} on another host.`;
  return `${wish}; no other worker could run it, so it may run there again.`;
}

function named(what: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  return `${what} ${firstOf(names, maxNamed)}`;
}
