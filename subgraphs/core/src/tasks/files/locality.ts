/** Preference for queues near the files of a job. Pure. */
import type { StoredReplica } from '../../datasets/dataset-file.document.js';
import type { StoredPreference, StoredRequirements } from '../../jobs/model/job.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { orderedPreferences } from '../../jobs/submit/normalise.js';

/** A file with its copies. */
export interface LocatedFile {
  readonly sizeBytes: number;
  readonly replicas: readonly Pick<StoredReplica, 'storage' | 'state'>[];
}

/** Requirements and their class. */
export interface ClassedRequirements {
  readonly requirements: StoredRequirements;
  readonly classId: string;
}

/**
 * Sites that have available copies of the most bytes of the files, in order; none if no site of a copy is
 * known. Empty files count as one byte.
 */
export function nearSites(
  files: readonly LocatedFile[],
  siteOf: (storage: string) => string | undefined,
): readonly string[] {
  const bytes = new Map<string, number>();
  for (const { sizeBytes, replicas } of files) {
    const sites = new Set<string>();
    for (const { storage, state } of replicas) {
      const site = state === 'AVAILABLE' && storage !== undefined ? siteOf(storage) : undefined;
      if (site !== undefined) sites.add(site);
    }
    for (const site of sites) bytes.set(site, (bytes.get(site) ?? 0) + Math.max(1, sizeBytes));
  }
  const most = Math.max(0, ...bytes.values());
  return [...bytes].flatMap(([site, sum]) => (sum === most ? [site] : [])).sort();
}

/** Requirements with a preference for queues at these sites. */
export function nearTo(
  { requirements }: ClassedRequirements,
  sites: readonly string[],
  weight: number,
): ClassedRequirements {
  const near: StoredPreference = { expression: `queue.site in ${JSON.stringify(sites)}`, weight };
  const preferences = orderedPreferences([...(requirements.preferences ?? []), near]);
  const changed = { ...requirements, preferences };
  return { requirements: changed, classId: classIdOf(changed) };
}
