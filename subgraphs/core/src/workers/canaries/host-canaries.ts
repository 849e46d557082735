/** Which hosts are tested by canary jobs, and until when no other job may test them. Pure. */
import { type CurrentCanary, isPaused } from './canary-plan.js';
import { type CanaryDocument, type CanaryRun, mostOpen } from './canary.document.js';

/** A host whose exclusion is over. */
export interface HalfOpenHost {
  /** End of the exclusion. */
  readonly since: Date;
  /** Time since which it has a READY worker without a pause; absent if it has none. */
  readonly readySince?: Date;
  /** True while a job tests it. */
  readonly isTested: boolean;
}

/** A queue with canary jobs, with all its HALF_OPEN hosts by name. */
export interface TestedQueue {
  readonly current: CurrentCanary;
  readonly document: CanaryDocument;
  readonly hosts: ReadonlyMap<string, HalfOpenHost>;
}

/** Time for which a host with a READY worker waits for a canary job, before other jobs test it as well. */
export const patienceMs = 600_000;
/** Number of hosts with failed tests since the latest success that raises doubts about the canary job. */
const mostDoubted = 3;

/** Hosts for which a canary job begins now: with a READY worker, not tested yet, as many as have a place. */
export function hostsDue({ current, document, hosts }: TestedQueue, now: Date): readonly string[] {
  const { open, hostProblem } = document;
  if (!isProven(document, current) || isPaused(hostProblem, now)) return [];
  const begun = new Set(open.map(({ host }) => host));
  const due = [...hosts].filter(
    ([name, host]) =>
      host.readySince && !host.isTested && !begun.has(name) && !hasEnded(document, current, name, host),
  );
  return due.map(([name]) => name).slice(0, freePlaces(document));
}

/**
 * Time until which only a canary job may test a HALF_OPEN host; undefined if any job may. Without a result
 * that proves the canary jobs, with a refused submit, without a free place, and after a test that ended, any
 * job may.
 */
export function canaryOnlyUntil(
  { current, document, hosts }: TestedQueue,
  name: string,
  now: Date,
): Date | undefined {
  if (!isProven(document, current) || document.hostProblem) return undefined;
  // A host that is not known has been HALF_OPEN for less than a step.
  const host = hosts.get(name);
  if (host && hasEnded(document, current, name, host)) return undefined;
  const hasRun = document.open.some((run) => run.host === name);
  if (!hasRun && freePlaces(document) === 0) return undefined;
  const until = new Date((host?.readySince ?? now).getTime() + patienceMs);
  return until > now ? until : undefined;
}

/** True for a waiting test of a host that is no longer HALF_OPEN, or has had no READY worker for long. */
export function isNeedless({ host: name, at }: CanaryRun, hosts: TestedQueue['hosts'], now: Date): boolean {
  if (name === undefined) return false;
  const host = hosts.get(name);
  if (!host || at < host.since) return true;
  return !host.readySince && at.getTime() + patienceMs <= now.getTime();
}

/**
 * True if the canary jobs of the queue are known to finish: a job that fails everywhere says nothing about a
 * host. The latest that tests no single host has finished, and after the latest success, few hosts failed.
 */
export function isProven({ results, hostResults }: CanaryDocument, { digest }: CurrentCanary): boolean {
  const isOf = ({ settings, outcome }: { readonly settings: string; readonly outcome: string }): boolean =>
    settings === digest && outcome !== 'CANCELLED';
  const latest = results.find(isOf);
  if (latest?.outcome !== 'SUCCEEDED') return false;
  const ofHosts = hostResults.filter(isOf);
  const succeeded = [latest, ...ofHosts.filter(({ outcome }) => outcome === 'SUCCEEDED')];
  const provenMs = Math.max(...succeeded.map(({ endedAt }) => endedAt.getTime()));
  const doubted = ofHosts.filter(
    ({ outcome, endedAt }) => outcome === 'FAILED' && endedAt.getTime() > provenMs,
  );
  return doubted.length < mostDoubted;
}

/** True if a test of the host with these settings has ended since the exclusion: it had no verdict. */
function hasEnded(
  { hostResults }: CanaryDocument,
  { digest }: CurrentCanary,
  name: string,
  { since }: HalfOpenHost,
): boolean {
  return hostResults.some(
    ({ host, submittedAt, settings }) => host === name && submittedAt >= since && settings === digest,
  );
}

/** The place of the job that tests no single host stays free for it. */
function freePlaces({ open }: CanaryDocument): number {
  return Math.max(0, mostOpen - 1 - open.filter(({ host }) => host !== undefined).length);
}
