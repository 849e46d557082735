/** States of a host and their ends. Pure. */
import type { HostStanding, HostState, QueueHost } from '../../scheduler/cache/host-standing.types.js';
import {
  type HostDocument,
  type HostEvidence,
  hostIdOf,
  hostSchemaVersion,
  mostWasted,
  type StoredHostPin,
  type WastedAttempt,
} from './host.document.js';

/** Name of core as the author of a state. */
export const judge = 'system:hosts';

/** Limits of the judgement about hosts. */
export interface HostLimits {
  /** An attempt that fails within this time fails fast; one that runs longer lasts. */
  readonly fastSeconds: number;
  /** Failures after which a host is SUSPECT, and EXCLUDED. */
  readonly suspectAfter: number;
  readonly excludeAfter: number;
  /** Failures that are further apart do not belong together; a SUSPECT host is healthy after this time. */
  readonly windowSeconds: number;
  /** Time of the first exclusion; each further one takes twice as long, up to the longest. */
  readonly excludeSeconds: number;
  readonly longestExcludeSeconds: number;
}

/** Limits without configuration. */
export const defaultHostLimits: HostLimits = {
  ...{ fastSeconds: 60, suspectAfter: 3, excludeAfter: 6, windowSeconds: 600 },
  ...{ excludeSeconds: 600, longestExcludeSeconds: 86_400 },
};

const dayMs = 86_400_000;
/** Time for which a host that is healthy again is kept, with the number of its exclusions. */
const healthyMs = dayMs;
/** Time for which a host is kept that was excluded and got no job since. */
const untestedMs = 30 * dayMs;

/** State of a host at a time, with the reason for it. */
export interface HostView {
  readonly state: HostState;
  readonly since: Date;
  readonly until: Date | null;
  readonly reason: string;
  readonly by: string;
}

/** The pin that holds at a time; undefined if there is none. */
export function pinAt({ pin }: Pick<HostDocument, 'pin'>, atMs: number): StoredHostPin | undefined {
  return pin && (pin.until === null || pin.until.getTime() > atMs) ? pin : undefined;
}

/** State of a host at a time. */
export function viewOf(host: HostDocument, atMs: number): HostView {
  const pin = pinAt(host, atMs);
  if (pin) {
    const { to, at: since, until, reason, by } = pin;
    return { state: to === 'OUT' ? 'EXCLUDED' : 'HEALTHY', since, until, reason, by };
  }
  const { state, since, until, reason, by } = host;
  if (until === null || until.getTime() > atMs) return { state, since, until, reason, by };
  if (state === 'EXCLUDED') return { state: 'HALF_OPEN', since: until, until: null, reason, by };
  return { state: 'HEALTHY', since: until, until: null, reason: 'It has not failed more jobs', by: judge };
}

/** State of a host at a time, if it is not healthy. */
export function standingOf(host: HostDocument, atMs: number): HostStanding | undefined {
  const { state, until, reason } = viewOf(host, atMs);
  return state === 'HEALTHY' ? undefined : { state, until, reason };
}

/** A host with the site of its queue. */
export interface HostPlace extends QueueHost {
  readonly site: string;
}

type Decided = Pick<HostDocument, 'state' | 'until' | 'reason' | 'by'> &
  Partial<Pick<HostDocument, 'exclusions' | 'evidence' | 'upTo' | 'pin'>>;

/** The document of a host after a decision. @param before absent if nothing is known about the host */
export function decided(
  place: HostPlace,
  before: HostDocument | undefined,
  change: Decided,
  now: Date,
): HostDocument {
  const { queue, host, site } = place;
  const { pin = before?.pin ?? null, upTo = before?.upTo ?? '' } = change;
  const known = before ?? {
    ...{ _id: hostIdOf(place), schemaVersion: hostSchemaVersion, createdAt: now },
    // Larger than any revision of an earlier document of the host.
    revision: Math.floor(now.getTime() / 1000) - revisionEpoch,
    ...{ exclusions: 0, evidence: null },
  };
  const isSame = before?.state === change.state;
  const { expiresAt: _expiresAt, ...rest } = known as HostDocument;
  const next: HostDocument = {
    ...rest,
    ...{ queue, host, site, pin, upTo },
    ...change,
    revision: known.revision + 1,
    updatedAt: now,
    since: isSame && before ? before.since : now,
  };
  const expiresAt = expiryOf(next, now);
  return expiresAt ? { ...next, expiresAt } : next;
}

const revisionEpoch = 1_700_000_000;

/** Time after which nothing about the host has to be kept; undefined if there is none. */
function expiryOf({ state, until, pin }: HostDocument, now: Date): Date | undefined {
  if (pin?.until === null || (state === 'EXCLUDED' && until === null)) return undefined;
  const end = Math.max(now.getTime(), until?.getTime() ?? 0, pin?.until?.getTime() ?? 0);
  return new Date(end + (state === 'EXCLUDED' ? untestedMs : healthyMs));
}

/** A host that failed some jobs fast. */
export function suspected(
  place: HostPlace,
  before: HostDocument | undefined,
  evidence: HostEvidence,
  upTo: string,
  { windowSeconds }: HostLimits,
  now: Date,
): HostDocument {
  const until = new Date(now.getTime() + windowSeconds * 1000);
  const change = { state: 'SUSPECT', until, reason: reasonOf(evidence), by: judge, evidence, upTo } as const;
  return decided(place, before, change, now);
}

/** A host that failed more, or a test. */
export function excluded(
  place: HostPlace,
  before: HostDocument | undefined,
  evidence: HostEvidence,
  upTo: string,
  { excludeSeconds, longestExcludeSeconds }: HostLimits,
  now: Date,
): HostDocument {
  const earlier = before?.exclusions ?? 0;
  const seconds = Math.min(longestExcludeSeconds, excludeSeconds * 2 ** earlier);
  const until = new Date(now.getTime() + seconds * 1000);
  const { attempts = [], ...shown } = evidence;
  const { state, exclusions } = { state: 'EXCLUDED', exclusions: earlier + 1 } as const;
  const reason = reasonOf(evidence);
  const change = { state, until, reason, by: judge, evidence: shown, upTo, exclusions };
  // Each exclusion has a time of its own, also the one after a test.
  return withWasted({ ...decided(place, before, change, now), since: now }, attempts);
}

/** An excluded host that failed an attempt which it had been granted before. */
export function alsoWasted(
  before: HostDocument,
  attempt: WastedAttempt,
  upTo: string,
  now: Date,
): HostDocument {
  const { state, until, reason, by } = before;
  return withWasted(decided(before, before, { state, until, reason, by, upTo }, now), [attempt]);
}

/** The host with more attempts to be given back. */
function withWasted(host: HostDocument, more: readonly WastedAttempt[]): HostDocument {
  const wasted = [...(host.wasted ?? []), ...more].slice(0, mostWasted);
  return wasted.length === 0 ? host : { ...host, wasted };
}

/** A host on which a job lasted again. */
export function recovered(before: HostDocument, now: Date): HostDocument {
  const { attempts: _attempts, ...shown } = before.evidence ?? {};
  const evidence = before.evidence && (shown as HostEvidence);
  const reason = 'A job lasted on it again';
  const change = { state: 'HEALTHY', until: null, reason, by: judge, evidence } as const;
  return decided(before, before, change, now);
}

function reasonOf({ failures, codes, lastedElsewhere }: HostEvidence): string {
  const named = codes.map(({ code }) => code).join(', ');
  const jobs = failures === 1 ? '1 job' : `${failures} jobs`;
  return `It failed ${jobs} fast (${named}), while ${lastedElsewhere} such attempts lasted elsewhere`;
}
