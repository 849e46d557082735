/**
 * Grants written after their call had timed out, because the store was slow. The next call of the worker gets
 * them. If there is none, the worker's heartbeats do not list the jobs, and they are requeued.
 */
import { experimentOf } from '../cache/ready-windows.js';
import type { Ledger } from '../cache/ledger.js';
import type { PendingGrant } from '../placement/matcher.types.js';
import type { AcquireRequest, Capacity, Grant } from '../scheduler.types.js';

interface Undelivered {
  readonly grant: Grant;
  readonly picked: PendingGrant;
}

/** Written grants without a call, by worker. */
export class UndeliveredGrants {
  readonly #ledger: Pick<Ledger, 'get'>;
  readonly #byWorker = new Map<string, readonly Undelivered[]>();

  constructor(ledger: Pick<Ledger, 'get'>) {
    this.#ledger = ledger;
  }

  /** Keeps grants for the next call of their worker. */
  add(workerId: string, picks: readonly PendingGrant[], grants: readonly Grant[]): void {
    const pickOf = new Map(picks.map((picked) => [picked.entry.jobId, picked]));
    const added = grants.flatMap((grant) => {
      const picked = pickOf.get(grant.jobId);
      return picked ? [{ grant, picked }] : [];
    });
    if (added.length > 0) this.#byWorker.set(workerId, [...(this.#byWorker.get(workerId) ?? []), ...added]);
  }

  /** Removes and returns the grants that fit the capacity of the call; invalid ones are dropped. */
  removeFitting(request: AcquireRequest): readonly Grant[] {
    const kept = this.#byWorker.get(request.workerId);
    if (!kept) return [];
    const taken: Grant[] = [];
    const left: Undelivered[] = [];
    let { free } = request;
    for (const one of kept.filter(({ grant }) => this.#holds(grant))) {
      const rest = taken.length < request.count ? restOf(request, free, one) : undefined;
      if (rest) {
        free = rest;
        taken.push(one.grant);
      } else left.push(one);
    }
    this.#set(request.workerId, left);
    return taken;
  }

  /** Drops the grants that are no longer valid. */
  prune(): void {
    for (const [workerId, kept] of this.#byWorker)
      this.#set(
        workerId,
        kept.filter(({ grant }) => this.#holds(grant)),
      );
  }

  #set(workerId: string, kept: readonly Undelivered[]): void {
    if (kept.length === 0) this.#byWorker.delete(workerId);
    else this.#byWorker.set(workerId, kept);
  }

  #holds({ jobId, fence }: Grant): boolean {
    const entry = this.#ledger.get(jobId);
    return entry?.fence === fence && entry.state === 'SENT';
  }
}

/** Free capacity after the job, or undefined if it does not fit the call. */
function restOf(
  { experiments, freeDeviceIds, remainingSeconds = Infinity }: AcquireRequest,
  free: Capacity,
  { grant, picked }: Undelivered,
): Capacity | undefined {
  const { requirements } = picked.cls;
  const rest = {
    cores: free.cores - requirements.cores,
    memoryMiB: free.memoryMiB - requirements.memoryMiB,
    diskMiB: free.diskMiB - requirements.diskMiB,
  };
  const fits =
    rest.cores >= 0 &&
    rest.memoryMiB >= 0 &&
    rest.diskMiB >= 0 &&
    requirements.walltimeSeconds <= remainingSeconds &&
    grant.deviceIds.every((id) => freeDeviceIds.includes(id)) &&
    (experiments === undefined || experiments.includes(experimentOf(picked.entry.share)));
  return fits ? rest : undefined;
}
