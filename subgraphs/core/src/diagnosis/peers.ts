/** Failures of other jobs with the same code: where they failed, and what that says. Pure. */
import type { ErrorGroup } from '../events/failures/error-summary.types.js';
import type { StoredAttempt, StoredJobError } from '../jobs/model/job.types.js';
import { plural } from '../shared/plural.js';
import type { Cause, Evidence } from './diagnosis.types.js';
import { isStated } from './error-causes.js';

/** Kind of failures that a job is compared with. */
export interface FailureKind {
  readonly experiment: string;
  readonly code: string;
}

/** Number of failures at a place. */
export interface PeerCount {
  readonly count: number;
  readonly firstAt: Date;
  /** Ids of jobs, the latest first. */
  readonly jobs: readonly string[];
}

/** Failures with one code of an experiment in the interval. */
export interface Peers extends PeerCount {
  readonly hours: number;
  readonly hosts: ReadonlyMap<string, PeerCount>;
  readonly sites: ReadonlyMap<string, PeerCount>;
}

/** Failed jobs on a host, or at a site, from which it is a possible cause. */
const fewestFailures = 3;
/** Fraction of the failures at one place from which it is a possible cause. */
const leastShare = 0.8;
/** Most certainty of a place: jobs that succeed are not counted, and other places may have run fewer. */
const mostConfidence = 0.6;
/** The same if no other place has failures: perhaps none ran such jobs. Less than that of the program. */
const onlyPlace = 0.25;
/** Hosts from which the places of failures are evidence against a host. */
const manyHosts = 3;
/** Most jobs of a kind that are looked at. */
export const mostSamples = 50;

/** Failures by kind, from groups by experiment, code, site and host. */
export function peersOf(groups: readonly ErrorGroup[], hours: number): ReadonlyMap<string, Peers> {
  const byKind = new Map<string, ErrorGroup[]>();
  for (const group of groups) {
    const { experiment, code } = group;
    if (experiment === null || code === null) continue;
    const key = kindKey({ experiment, code });
    const own = byKind.get(key);
    if (own) own.push(group);
    else byKind.set(key, [group]);
  }
  return new Map(
    [...byKind].map(([key, own]) => [
      key,
      { ...merged(own), hours, hosts: byPlace(own, 'host'), sites: byPlace(own, 'site') },
    ]),
  );
}

/** Key of a kind. */
export function kindKey({ experiment, code }: FailureKind): string {
  return `${experiment} ${code}`;
}

/** Host or site that is a possible cause, by the places of such failures. */
export function causesOfPlaces(
  {
    host,
    site,
    error,
    queueName,
  }: Pick<StoredAttempt, 'host' | 'site'> & {
    readonly error: StoredJobError;
    readonly queueName: string | undefined;
  },
  peers: Peers | undefined,
): readonly Cause[] {
  if (!peers || peers.count < fewestFailures) return [];
  const onHost = host === undefined ? undefined : peers.hosts.get(host);
  const atSite = site === undefined ? undefined : peers.sites.get(site);
  const others = failuresText(error.code, peers);
  if (host !== undefined && onHost && isConcentrated(onHost, peers)) {
    const target = { kind: 'HOST', id: host, ...(queueName === undefined ? {} : { queueName }) } as const;
    const statement = `${onHost.count} of ${others} occurred on host ${host}.`;
    return [placeCause('HOST', statement, onHost, peers, { kind: 'HOST', target })];
  }
  if (site !== undefined && atSite && isConcentrated(atSite, peers) && peers.hosts.size > 1) {
    const statement = `${atSite.count} of ${others} occurred at site ${site}, on several hosts.`;
    return [
      placeCause('SITE', statement, atSite, peers, { kind: 'PEERS', target: { kind: 'SITE', id: site } }),
    ];
  }
  return [];
}

/**
 * Hosts and sites with such failures; undefined if they are few. Not a cause: many programs fail with a code
 * such as EXIT_CODE.
 */
export function spreadOf({ code }: StoredJobError, peers: Peers | undefined): Evidence | undefined {
  if (!peers || peers.hosts.size < manyHosts || isStated(code)) return undefined;
  const where = `${plural(peers.hosts.size, 'host')} at ${plural(peers.sites.size, 'site')}`;
  const text = `${failuresText(code, peers)} occurred on ${where}.`;
  return { kind: 'PEERS', text, count: peers.count, since: peers.firstAt };
}

function failuresText(code: string, { count, hours }: Peers): string {
  return `${plural(count, 'failure')} with ${code} in the last ${hours} hours`;
}

function placeCause(
  kind: 'HOST' | 'SITE',
  statement: string,
  place: PeerCount,
  peers: Peers,
  evidence: Pick<Evidence, 'kind' | 'target'>,
): Cause {
  const share = place.count / peers.count;
  const { count, firstAt: since } = place;
  return {
    ...{ kind, statement, share },
    confidence: rounded(share === 1 ? onlyPlace : mostConfidence * share),
    evidence: [{ ...evidence, text: statement, count, since }],
  };
}

function isConcentrated(place: PeerCount, all: PeerCount): boolean {
  return place.jobs.length >= fewestFailures && place.count / all.count >= leastShare;
}

function byPlace(groups: readonly ErrorGroup[], field: 'host' | 'site'): ReadonlyMap<string, PeerCount> {
  const places = new Map<string, ErrorGroup[]>();
  for (const group of groups) {
    const place = group[field];
    if (place === null) continue;
    const own = places.get(place);
    if (own) own.push(group);
    else places.set(place, [group]);
  }
  return new Map([...places].map(([place, own]) => [place, merged(own)]));
}

function merged(groups: readonly ErrorGroup[]): PeerCount {
  const latest = [...groups].sort((one, other) => other.lastAt.getTime() - one.lastAt.getTime());
  return {
    count: groups.reduce((sum, { count }) => sum + count, 0),
    firstAt: new Date(Math.min(...groups.map(({ firstAt }) => firstAt.getTime()))),
    jobs: [...new Set(latest.flatMap(({ jobs }) => jobs))].slice(0, mostSamples),
  };
}

/** Hundredths. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
