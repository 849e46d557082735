import type { JobState } from '../../jobs/model/job-state.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { FleetDocument } from '../model/fleet.document.js';

/** States of the jobs of a fleet, by id; those that the store does not have are left out. */
export async function memberStates(
  jobs: Pick<JobsRepository, 'find'>,
  { members }: Pick<FleetDocument, 'members'>,
): Promise<ReadonlyMap<string, JobState>> {
  const ids = members.map(({ id }) => id);
  const found = await jobs.find(ids, { state: 1 });
  return new Map(found.map(({ _id, state }) => [_id, state]));
}
