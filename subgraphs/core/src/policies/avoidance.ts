/** Where the attempt after a failure goes. Pure. */
import { type DecidingError, isPlannedEnd, isUncounted } from '@rhizome/errors';
import type { StoredAvoidance } from '../jobs/model/decision.types.js';
import type { FailureFacts } from './failure.types.js';
import type { AfterFailurePlacement, RetryAction } from './policy.types.js';

/** Most hosts and sites that a job avoids: the latest ones. */
const mostAvoided = 20;

/** Hosts and sites that the rule requires to be others. @param from earliest time of the next attempt */
export function requiredElsewhere(
  facts: FailureFacts,
  { anotherHostSeconds, anotherSiteSeconds }: RetryAction,
  from: Date,
): StoredAvoidance | undefined {
  const seconds = Math.max(anotherHostSeconds ?? 0, anotherSiteSeconds ?? 0);
  const avoid = avoiding(facts, { hosts: anotherHostSeconds, sites: anotherSiteSeconds }, seconds, from);
  return avoid && { ...avoid, isRequired: true };
}

/** Codes of failures that another site may not have: its network reaches other places, or it allows them. */
const errorsOfSites: ReadonlySet<string> = new Set([
  'INPUT_UNREACHABLE',
  'INPUT_ADDRESS_REFUSED',
  'OUTPUT_ADDRESS_REFUSED',
]);

/** Hosts and sites that the next attempt prefers not to go to: another host first, then another site. */
export function preferredElsewhere(
  facts: FailureFacts,
  { otherHostSeconds, otherSiteSeconds, otherSiteAfter }: AfterFailurePlacement,
  from: Date,
): StoredAvoidance | undefined {
  // An attempt that does not count says nothing about the host.
  if (saysNothing(facts.end.error)) return undefined;
  const failuresThere = (facts.job.attempts ?? []).filter(
    ({ site, error }, index, { length }) =>
      site !== undefined &&
      site === facts.site &&
      // The last attempt is the one that has just failed.
      (index === length - 1 || (error !== undefined && !saysNothing(error))),
  ).length;
  const isOfSite = errorsOfSites.has(facts.end.error.code);
  const sites = isOfSite || failuresThere >= otherSiteAfter ? otherSiteSeconds : 0;
  return avoiding(facts, { hosts: otherHostSeconds, sites }, Math.max(otherHostSeconds, sites), from);
}

const saysNothing = (error: DecidingError): boolean => isUncounted(error) || isPlannedEnd(error);

function avoiding(
  { job: { avoid }, host, site }: FailureFacts,
  wanted: { readonly hosts: number | undefined; readonly sites: number | undefined },
  seconds: number,
  from: Date,
): StoredAvoidance | undefined {
  const hosts = wanted.hosts && host !== undefined ? latest(avoid?.hosts, host) : [];
  const sites = wanted.sites && site !== undefined ? latest(avoid?.sites, site) : [];
  if (hosts.length + sites.length === 0) return undefined;
  return { hosts, sites, until: new Date(from.getTime() + seconds * 1000) };
}

function latest(before: readonly string[] = [], added: string): readonly string[] {
  return [...before.filter((one) => one !== added), added].slice(-mostAvoided);
}
