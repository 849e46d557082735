/** Answers about a workflow: failures, blockers, sites, durations, cost. Pure. */
import { type NodeRun, spentBy } from '@rhizome/experiment';
import { type Campaign, firstUndone, memoryOf, quantaByNode, quantumRun, quantumState } from './campaign.js';

/** Quanta that have failed with the same error. */
export interface FailureGroup {
  readonly code: string;
  readonly exitCode: number | null;
  readonly message: string | null;
  readonly count: number;
  readonly labels: readonly string[];
  readonly sites: readonly string[];
  /** Positions of quanta. */
  readonly samples: readonly number[];
}

/** Ends of quanta at a site. */
export interface SiteEnds {
  readonly name: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly coreHours: number;
}

const maxGroups = 100;
const maxNames = 50;
const maxSamples = 10;
/** Failed nodes whose followers are counted: those with most direct followers. */
const maxBlockers = 200;

/** Failed quanta by code of the error and exit code, the most frequent first. */
export function failuresOf(campaign: Campaign): readonly FailureGroup[] {
  const groups = new Map<
    string,
    { run: NodeRun; exitCode: number | null; labels: Set<string>; sites: Set<string>; quanta: number[] }
  >();
  campaign.graph.labelOf.forEach((label, index) => {
    if (quantumState(campaign, index) !== 'FAILED') return;
    const { run } = quantumRun(campaign, index);
    if (!run) return;
    const exitCode = campaign.reports.get(index)?.exitCode ?? run.exitCode ?? null;
    const key = `${run.errorCode ?? ''} ${exitCode ?? ''}`;
    const group = groups.get(key) ?? { run, exitCode, labels: new Set(), sites: new Set(), quanta: [] };
    groups.set(key, group);
    group.labels.add(campaign.graph.labels[label] ?? '');
    if (run.site !== undefined) group.sites.add(run.site);
    group.quanta.push(index);
  });
  return [...groups.values()]
    .sort((a, b) => b.quanta.length - a.quanta.length)
    .slice(0, maxGroups)
    .map(({ run, exitCode, labels, sites, quanta }) => ({
      code: run.errorCode ?? 'UNKNOWN',
      exitCode,
      message: run.errorMessage ?? null,
      count: quanta.length,
      labels: [...labels].slice(0, maxNames),
      sites: [...sites].sort().slice(0, maxNames),
      samples: quanta.slice(0, maxSamples),
    }));
}

/**
 * Failed and cancelled quanta with the number of quanta that they block, those that block most first. A
 * cluster blocks as a whole, and is named by its first quantum that has not succeeded.
 */
export function blockersIn(
  campaign: Campaign,
  limit: number,
): readonly { readonly index: number; readonly blockedQuanta: number }[] {
  const { graph, states } = campaign;
  const quanta = quantaByNode(graph);
  const blocked: number[][] = graph.nodeNeeds.map(() => []);
  graph.nodeNeeds.forEach((needs, node) => {
    if (states[node] === 'BLOCKED') for (const need of needs) blocked[need]?.push(node);
  });
  const next = (node: number): readonly number[] => blocked[node] ?? [];
  return graph.nodeNeeds
    .flatMap((_needs, node) => {
      const isStopped = states[node] === 'FAILED' || states[node] === 'CANCELLED';
      return isStopped && next(node).length > 0 ? [node] : [];
    })
    .sort((a, b) => next(b).length - next(a).length)
    .slice(0, maxBlockers)
    .map((node) => ({
      index: firstUndone(campaign, quanta[node] ?? []),
      blockedQuanta: reached(node, next).reduce((sum, other) => sum + (quanta[other]?.length ?? 0), 0),
    }))
    .sort((a, b) => b.blockedQuanta - a.blockedQuanta || a.index - b.index)
    .slice(0, limit);
}

function reached(from: number, next: (node: number) => readonly number[]): readonly number[] {
  const seen = new Set<number>();
  const way = [from];
  for (let at = way.pop(); at !== undefined; at = way.pop())
    for (const other of next(at)) {
      if (seen.has(other)) continue;
      seen.add(other);
      way.push(other);
    }
  return [...seen];
}

/** Quanta that a retry of all failures would run. */
export function retryPreview(campaign: Campaign): {
  readonly failed: number;
  readonly blocked: number;
  readonly labels: readonly { readonly label: string; readonly count: number }[];
} {
  const { graph } = campaign;
  const counts = graph.labels.map(() => 0);
  let failed = 0;
  let blocked = 0;
  graph.labelOf.forEach((label, index) => {
    const state = quantumState(campaign, index);
    if (state === 'BLOCKED') blocked += 1;
    else if (state === 'FAILED' || state === 'CANCELLED') failed += 1;
    else return;
    counts[label] = (counts[label] ?? 0) + 1;
  });
  const labels = graph.labels.map((label, at) => ({ label, count: counts[at] ?? 0 }));
  return { failed, blocked, labels: labels.filter(({ count }) => count > 0) };
}

/** Core-hours of all jobs, the final one included. */
export function costOf({ runs }: Campaign): { readonly coreHours: number; readonly lostCoreHours: number } {
  let all = 0;
  let lost = 0;
  for (const node of runs.values()) {
    const { coreSeconds, lostCoreSeconds } = spentBy(node);
    all += coreSeconds;
    lost += lostCoreSeconds;
  }
  return { coreHours: all / 3600, lostCoreHours: lost / 3600 };
}

/** Ends of quanta by site, the site with most failures first. */
export function sitesOf(campaign: Campaign): readonly SiteEnds[] {
  const sites = new Map<string, { succeeded: number; failed: number; coreSeconds: number }>();
  const isCounted = new Set<number>();
  campaign.graph.nodeOf.forEach((node, index) => {
    const run = campaign.runs.get(node)?.run;
    if (run?.site === undefined) return;
    const site = sites.get(run.site) ?? { succeeded: 0, failed: 0, coreSeconds: 0 };
    sites.set(run.site, site);
    const state = quantumState(campaign, index);
    if (state === 'SUCCEEDED') site.succeeded += 1;
    if (state === 'FAILED') site.failed += 1;
    if (!isCounted.has(node)) site.coreSeconds += run.coreSeconds;
    isCounted.add(node);
  });
  return [...sites]
    .map(([name, { succeeded, failed, coreSeconds }]) => ({
      ...{ name, succeeded, failed },
      coreHours: coreSeconds / 3600,
    }))
    .sort((a, b) => b.failed - a.failed || b.succeeded - a.succeeded)
    .slice(0, maxGroups);
}

/** Positions of the first quantum of each node whose latest attempt took longest. */
export function longestIn(campaign: Campaign, limit: number): readonly number[] {
  return largest(campaign, limit, ({ wallSeconds }) => wallSeconds);
}

/** Positions of quanta whose memory has grown beyond that of their label, the largest first. */
export function escalatedIn(campaign: Campaign, limit: number): readonly number[] {
  const memory = campaign.graph.labels.map((label) => memoryOf(campaign, label));
  return largest(campaign, limit, ({ memoryMiB }, label) =>
    memoryMiB > (memory[label] ?? Infinity) ? memoryMiB : undefined,
  );
}

function largest(
  { graph, runs }: Campaign,
  limit: number,
  valueOf: (run: NodeRun, label: number) => number | undefined,
): readonly number[] {
  const isSeen = new Set<number>();
  const found = graph.nodeOf.flatMap((node, index) => {
    const run = isSeen.has(node) ? undefined : runs.get(node)?.run;
    isSeen.add(node);
    const value = run && valueOf(run, graph.labelOf[index] ?? 0);
    return value === undefined ? [] : [{ index, value }];
  });
  return found
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, limit)
    .map(({ index }) => index);
}

/** Positions of retried quanta that ended otherwise, or with another memory or error, than before. */
export function changedIn(campaign: Campaign, limit: number): readonly number[] {
  const found = campaign.graph.nodeOf.flatMap((node, index) => {
    const state = campaign.reset.has(node) ? undefined : campaign.runs.get(node);
    return state?.before && differs(state.run, state.before) ? [index] : [];
  });
  return found.slice(0, limit);
}

function differs(run: NodeRun, before: NodeRun): boolean {
  return (
    run.state !== before.state ||
    run.memoryMiB !== before.memoryMiB ||
    run.errorCode !== before.errorCode ||
    run.exitCode !== before.exitCode
  );
}
