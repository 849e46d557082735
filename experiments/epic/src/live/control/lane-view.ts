/** Lanes of runs, and what a process knows of them besides what is stored. */
import type { BreakerDocument } from '../model/feed-collections.js';
import type { ResultsDocument } from '../model/live-collections.js';
import type { LiveRunDocument } from '../model/live-run.document.js';
import type { PathName } from '../model/live-run.types.js';
import type { LaneView } from '../model/regulator.js';
import type { LanePlace } from './core-calls.js';
import { resultsId } from './results-follower.js';

/** All lanes of a run. */
export function lanesOf(run: LiveRunDocument): readonly LanePlace[] {
  return (Object.keys(run.paths) as PathName[]).flatMap((path) => lanesOfPath(run, path));
}

/** The lanes of a path. */
export function lanesOfPath(run: LiveRunDocument, path: PathName): readonly LanePlace[] {
  const { lanes = [], settings } = run.paths[path] ?? {};
  return settings ? lanes.map((lane, index) => ({ run, path, index, lane, settings })) : [];
}

/** Path of a field of a lane in the stored run. */
export function laneField({ path, index }: Pick<LanePlace, 'path' | 'index'>, field: string): string {
  return `paths.${path}.lanes.${index}.${field}`;
}

/** Facts that were read of a run last. */
export interface RunMemory {
  results: readonly ResultsDocument[];
  breakers: ReadonlyMap<string, BreakerDocument>;
  /** Times until which pools are full, by lane. */
  readonly fullUntil: Map<string, Date>;
}

/** Facts of a lane that the regulator looks at. */
export function viewOf(place: LanePlace, memory: RunMemory): LaneView {
  const { lane, settings, path } = place;
  const ofPath = memory.results.filter((results) => results.path === path);
  const completed = ofPath.reduce((sum, results) => sum + results.completed, 0);
  const seconds = ofPath.reduce((sum, results) => sum + results.seconds, 0);
  return {
    ...{ lane, settings },
    meanSeconds: completed === 0 ? null : seconds / completed,
    breaker: lane.site === undefined ? undefined : memory.breakers.get(lane.site),
    fullUntil: memory.fullUntil.get(resultsId(place)),
  };
}
