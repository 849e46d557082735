/** Jobs that a change selects by a filter. Pure. */
import { canaryOwner } from '../model/canary-owner.js';
import { type JobCriteria, type JobFilterPlan, planJobFilter } from '../model/job-filter.js';

/**
 * Plans the filter of a change. Canary jobs are selected by their id or owner only: who cancels or retries
 * what failed on a queue means the jobs of users.
 */
export function planSelection(
  criteria: JobCriteria,
  visible: '*' | readonly string[],
  known: readonly string[],
): JobFilterPlan {
  const plan = planJobFilter(criteria, visible, known);
  if (criteria.owners || criteria.ids) return plan;
  return { ...plan, branches: plan.branches.map((one) => ({ ...one, owner: { $ne: canaryOwner } })) };
}
