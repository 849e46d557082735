/** Answers about runs that are derived from stored numbers. All are pure. */
import type { ResultsDocument } from '../model/live-collections.js';
import type { LaneObservation, LiveRunDocument } from '../model/live-run.document.js';
import { maxSlowest } from '../model/result-sums.js';
import type { PathName } from '../model/live-run.types.js';
import { lanesOfPath } from '../control/lane-view.js';

type Observed = LaneObservation | undefined;

/** Numbers of slices of lanes. Slices that core has not counted yet wait. */
export function sliceCounts(lanes: readonly { readonly observed?: Observed; readonly published: number }[]) {
  const sum = (read: (observed: LaneObservation) => number): number =>
    lanes.reduce((total, { observed }) => total + (observed ? read(observed) : 0), 0);
  return {
    waiting: sum(({ waiting }) => waiting),
    leased: sum(({ leased }) => leased),
    completed: sum(({ completed }) => completed),
    dead: sum(({ dead }) => dead),
    failedAttempts: sum(({ failedAttempts }) => failedAttempts),
  };
}

/** Age of the oldest slice that waits, over lanes. */
export function lagOf(lanes: readonly { readonly observed?: Observed }[]): number {
  return Math.max(0, ...lanes.map(({ observed }) => observed?.lagSeconds ?? 0));
}

/** Slices by site: completed ones, and failed attempts as core counts them. */
export function slicesBySite(results: readonly ResultsDocument[]) {
  const sites = new Map<string | null, { completed: number; seconds: number; failedAttempts: number }>();
  const at = (site: string | null) => {
    const known = sites.get(site) ?? { completed: 0, seconds: 0, failedAttempts: 0 };
    sites.set(site, known);
    return known;
  };
  for (const { sites: completedAt, failures } of results) {
    for (const { site, completed, seconds } of completedAt) {
      at(site).completed += completed;
      at(site).seconds += seconds;
    }
    for (const { site, failedAttempts } of failures) at(site).failedAttempts += failedAttempts;
  }
  return [...sites].map(([site, sums]) => ({ site, ...sums }));
}

/** The slowest slices of lanes, slowest first; at most 20. */
export function slowestOf(results: readonly Pick<ResultsDocument, 'slowest'>[]) {
  return results
    .flatMap(({ slowest }) => slowest)
    .sort((one, other) => other.seconds - one.seconds)
    .slice(0, maxSlowest);
}

/** Cost of a path. */
export function costOf(
  run: LiveRunDocument,
  path: PathName,
  results: readonly Pick<ResultsDocument, 'seconds'>[],
) {
  const lanes = lanesOfPath(run, path);
  const cores = lanes[0]?.settings.cores ?? 0;
  const busyCoreHours = (results.reduce((sum, { seconds }) => sum + seconds, 0) * cores) / 3600;
  const held = lanes.reduce((sum, { lane }) => sum + lane.heldCoreSeconds, 0) / 3600;
  const { bytes } = run.frames;
  return {
    busyCoreHours,
    heldCoreHours: held,
    busyCoreHoursPerTB: bytes === 0 ? null : busyCoreHours / (bytes / 1e12),
  };
}
