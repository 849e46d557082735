/**
 * Compares what clients received with the transitions in the database: each transition of each job once and
 * in order.
 */
import { collectionOf, type StoreAccess } from './store.js';
import { step, type Received, type WatchPlan } from './watchers.js';

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

/**
 * All jobs of the database, none of which has parents. @throws Error where a list is not whole: then nothing
 * could be compared with it
 */
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

/** Number of events that a client must receive. */
export function expectedOf(plan: WatchPlan, jobs: readonly StoredJob[]): number {
  return jobs.filter((job) => plan.covers(job)).reduce((sum, { steps }) => sum + steps.length, 0);
}

/** Errors in what a client received: gaps, repetitions, wrong order, events of other jobs. */
export function faultsOf(received: Received, plan: WatchPlan, jobs: readonly StoredJob[]): readonly string[] {
  const faults: string[] = [];
  const ours = jobs.filter((job) => plan.covers(job));
  const ids = new Set(ours.map(({ id }) => id));
  for (const id of received.byJob.keys()) if (!ids.has(id)) faults.push(`${id} is none of its jobs`);
  for (const { id, steps } of ours) {
    const seen = received.byJob.get(id) ?? [];
    if (plan.mode === 'LATEST') faults.push(...latestFaults(id, steps, seen, received.leftOut.get(id) ?? 0));
    else if (seen.join('; ') !== steps.join('; '))
      faults.push(`${id}: received [${seen.join('; ')}], is [${steps.join('; ')}]`);
  }
  return faults;
}

/** True if a client received everything by number; in mode LATEST, the last transition of each job. */
export function hasReceivedAll(received: Received, plan: WatchPlan, jobs: readonly StoredJob[]): boolean {
  if (plan.mode !== 'LATEST') return received.count >= expectedOf(plan, jobs);
  return jobs.every((job) => !plan.covers(job) || received.byJob.get(job.id)?.at(-1) === job.steps.at(-1));
}

/**
 * Some steps may be left out; what is received is in order, and the last step is received. The count of those
 * left out is no more than there are: what was overtaken before a break is in no message after it.
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
  return [`${id}: received [${seen.join('; ')}] and ${leftOut} left out, is [${steps.join('; ')}]`];
}
