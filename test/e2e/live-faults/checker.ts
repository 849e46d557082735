/** Compares what clients were told with the lists of transitions in the database: each step of each job once, and in order. */
import { collectionOf, type StoreAccess } from './store.js';
import { step, type Told, type WatchPlan } from './watchers.js';

/** A job as the database has it: all of its steps, the submit first. */
export interface StoredJob {
  readonly id: string;
  readonly taskId?: string | undefined;
  readonly state: string;
  readonly steps: readonly string[];
}

interface JobRecord {
  readonly _id: string;
  readonly taskId?: string;
  readonly state: string;
  readonly revision: number;
  readonly transitions: readonly { readonly revision: number; readonly from: string; readonly to: string }[];
}

/** All jobs of the database, none of which has parents. @throws Error where a list is not whole: then nothing could be compared with it */
export async function storedJobs(store: StoreAccess): Promise<readonly StoredJob[]> {
  const fields = { taskId: 1, state: 1, revision: 1, transitions: 1 };
  const found = await collectionOf<JobRecord>(store, 'jobs').find({}, { projection: fields }).toArray();
  return found.map(({ _id, taskId, state, revision, transitions }) => {
    if (transitions.length !== revision - 1)
      throw new Error(`${_id} has ${revision} revisions and ${transitions.length} transitions`);
    const later = transitions.map((one) => step(one.revision, one.from, one.to));
    return { id: _id, taskId, state, steps: [step(1, null, 'ACTIVATED'), ...later] };
  });
}

/** How much a client is to be told. */
export function expectedOf(plan: WatchPlan, jobs: readonly StoredJob[]): number {
  return jobs.filter((job) => plan.covers(job)).reduce((sum, { steps }) => sum + steps.length, 0);
}

/** What is wrong with what a client was told: gaps, repetitions, another order, jobs of others. */
export function faultsOf(told: Told, plan: WatchPlan, jobs: readonly StoredJob[]): readonly string[] {
  const faults: string[] = [];
  const ours = jobs.filter((job) => plan.covers(job));
  const ids = new Set(ours.map(({ id }) => id));
  for (const id of told.byJob.keys()) if (!ids.has(id)) faults.push(`${id} is none of its jobs`);
  for (const { id, steps } of ours) {
    const seen = told.byJob.get(id) ?? [];
    if (plan.mode === 'LATEST') faults.push(...latestFaults(id, steps, seen, told.leftOut.get(id) ?? 0));
    else if (seen.join('; ') !== steps.join('; '))
      faults.push(`${id}: was told [${seen.join('; ')}], is [${steps.join('; ')}]`);
  }
  return faults;
}

/** Whether a client was told all that it is to be told, as far as numbers tell; in mode LATEST, the last step of each job. */
export function isToldAll(told: Told, plan: WatchPlan, jobs: readonly StoredJob[]): boolean {
  if (plan.mode !== 'LATEST') return told.count >= expectedOf(plan, jobs);
  return jobs.every((job) => !plan.covers(job) || told.byJob.get(job.id)?.at(-1) === job.steps.at(-1));
}

/**
 * Some steps may be left out; what is told is in order, and the last step is told. The count of those left out is no more than there are:
 * what was overtaken before a break is in no message after it.
 */
function latestFaults(
  id: string,
  steps: readonly string[],
  seen: readonly string[],
  leftOut: number,
): readonly string[] {
  const places = seen.map((one) => steps.indexOf(one));
  const isOrdered = places.every((place, at) => place >= 0 && place > (places[at - 1] ?? -1));
  if (isOrdered && seen.at(-1) === steps.at(-1) && seen.length + leftOut <= steps.length) return [];
  return [`${id}: was told [${seen.join('; ')}] and ${leftOut} left out, is [${steps.join('; ')}]`];
}
