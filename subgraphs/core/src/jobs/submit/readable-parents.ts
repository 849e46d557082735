import type { Principal } from '@rhizome/authz';
import { visibilityOf } from '../../shared/visibility.js';
import { maySeeJob } from '../model/job-visibility.js';
import type { JobsRepository, ParentFacts } from '../model/jobs.repository.js';

const fields = { experiment: 1, queue: 1, workerId: 1, state: 1, fence: 1 } as const;

/**
 * The parents that new jobs may name, by id: those of their owner, and those that the caller may read. A job
 * reads the outputs of its parents, so it must not name others.
 */
export async function readableParents(
  jobs: Pick<JobsRepository, 'parents' | 'findVisible'>,
  { principal, owner }: { readonly principal: Principal; readonly owner: string },
  ids: readonly string[],
): Promise<ReadonlyMap<string, ParentFacts>> {
  const found = await jobs.parents(ids);
  const others = [...found.values()].filter((parent) => parent.owner !== owner).map(({ _id }) => _id);
  if (others.length === 0) return found;
  const visible = await jobs.findVisible(visibilityOf(principal, 'job:read'), others, fields);
  const readable = new Set(visible.filter((job) => maySeeJob(principal, job)).map(({ _id }) => _id));
  return new Map([...found].filter(([id, parent]) => parent.owner === owner || readable.has(id)));
}
