/** Sums over results of slices. */
import { sliceOfKey } from './frame-numbers.js';
import { bucketOf, stepsOf } from './latency.js';
import {
  type FrameDocument,
  latencySteps,
  type ResultsDocument,
  type SiteSums,
  type SlowSlice,
} from './live-collections.js';
import type { PathName } from './live-run.types.js';

/** Units that one job completed together, as core reports them. */
export interface CompletedUnits {
  readonly jobId: string;
  readonly site?: { readonly name: string } | null | undefined;
  readonly completedAt: string;
  readonly units: readonly { readonly key: string; readonly seconds: number }[];
}

/** Slow slices that are kept. */
export const maxSlowest = 20;
/** Sites with sums of their own; further ones count as unknown. */
const maxSites = 200;

/**
 * Adds completed slices. Units of others in the pool, whose keys have another form, are not counted.
 * @param frames the frames of the slices; the times of one that was removed are not counted
 * @returns the sums, and the completed slices by identifier of the frame
 */
export function withResults(
  sums: ResultsDocument,
  path: PathName,
  { jobId, site, completedAt, units }: CompletedUnits,
  frames: readonly FrameDocument[],
): { readonly sums: ResultsDocument; readonly done: ReadonlyMap<string, number> } {
  const byNumber = new Map(frames.map((frame) => [frame.number, frame]));
  const done = new Map<string, number>();
  const latency = Object.fromEntries(latencySteps.map((name) => [name, { ...sums.latency[name] }]));
  const slow: SlowSlice[] = [...sums.slowest];
  const siteName = site?.name ?? null;
  let completed = 0;
  let total = 0;
  for (const { key, seconds } of units) {
    const place = sliceOfKey(key);
    if (!place) continue;
    completed += 1;
    total += seconds;
    slow.push({ ...place, seconds, site: siteName, jobId });
    const frame = byNumber.get(place.frame);
    if (!frame) continue;
    done.set(frame._id, (done.get(frame._id) ?? 0) + 1);
    const steps = stepsOf(frame, path, { completedAt: new Date(completedAt), seconds });
    for (const name of latencySteps) {
      const histogram = latency[name] ?? {};
      const bucket = bucketOf(steps[name]);
      histogram[bucket] = (histogram[bucket] ?? 0) + 1;
    }
  }
  return {
    sums: {
      ...sums,
      completed: sums.completed + completed,
      seconds: sums.seconds + total,
      latency: latency as ResultsDocument['latency'],
      slowest: slow.sort((one, other) => other.seconds - one.seconds).slice(0, maxSlowest),
      sites: withSite(sums.sites, { site: siteName, completed, seconds: total }),
    },
    done,
  };
}

function withSite(sites: readonly SiteSums[], more: SiteSums): readonly SiteSums[] {
  const isListed = sites.some(({ site }) => site === more.site);
  if (!isListed && sites.length >= maxSites - 1 && more.site !== null)
    return withSite(sites, { ...more, site: null });
  if (!isListed) return [...sites, more];
  return sites.map((one) =>
    one.site === more.site
      ? { site: one.site, completed: one.completed + more.completed, seconds: one.seconds + more.seconds }
      : one,
  );
}
