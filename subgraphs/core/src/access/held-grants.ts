/** Access grants of this process by the jobs that they are for. */
import type { AccessedJobs, AccessGrantDocument } from './access-grant.document.js';

/** Fields of a job that decide about access to it. */
export interface AccessedJob {
  readonly _id: string;
  readonly experiment: string;
  readonly owner: string;
  readonly taskId?: string | undefined;
  readonly share: string;
}

/** Grants that have not ended, by experiment and owner. */
export class HeldGrants {
  readonly #byOwner = new Map<string, Map<string, AccessGrantDocument>>();

  set(grant: AccessGrantDocument): void {
    const key = keyOf(grant);
    const held = this.#byOwner.get(key) ?? new Map<string, AccessGrantDocument>();
    held.set(grant._id, grant);
    this.#byOwner.set(key, held);
  }

  delete(grant: AccessGrantDocument): void {
    const key = keyOf(grant);
    const held = this.#byOwner.get(key);
    held?.delete(grant._id);
    if (held?.size === 0) this.#byOwner.delete(key);
  }

  /** Grants for a job, also those that have ended by time. */
  of(job: AccessedJob): readonly AccessGrantDocument[] {
    const { experiment, owner } = job;
    const ofOwner = this.#byOwner.get(keyOf({ experiment, owner }));
    const ofAll = this.#byOwner.get(keyOf({ experiment, owner: null }));
    if (!ofOwner && !ofAll) return [];
    return [...(ofOwner?.values() ?? []), ...(ofAll?.values() ?? [])].filter((grant) => isFor(grant, job));
  }
}

function keyOf({ experiment, owner }: Pick<AccessedJobs, 'experiment' | 'owner'>): string {
  return JSON.stringify([experiment, owner]);
}

function isFor({ jobId, taskId, share }: AccessedJobs, job: AccessedJob): boolean {
  return (
    (jobId === null || jobId === job._id) &&
    (taskId === null || taskId === job.taskId) &&
    (share === null || share === job.share)
  );
}
