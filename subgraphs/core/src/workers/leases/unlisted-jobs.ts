/**
 * Jobs that workers in contact do not list among those that they hold. Grants that a worker never received
 * are looked for in each scan. A job that it began and no longer has is rare, and all leases are read to find
 * it: that happens twice a minute, and in a large fleet by a part of the workers in each scan.
 */
import type { Clock } from '@rhizome/clock';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { GrantRef } from '../../scheduler/dispatch/requeue-grants.js';
import type { LedgerEntry } from '../../scheduler/scheduler.types.js';
import type { LeasesRepository } from './leases.repository.js';

/** Dependencies of {@link UnlistedJobs}. */
export interface UnlistedJobsOptions {
  readonly leases: Pick<LeasesRepository, 'findHeldJobs'>;
  readonly ledger: Pick<Ledger, 'sent' | 'workers' | 'entriesOf'>;
  readonly clock: Clock;
  /** Time after which a grant must appear in heartbeats, in milliseconds. */
  readonly graceMs?: number;
}

/** A job that the latest heartbeat of its worker lacked. */
interface Suspect {
  readonly fence: number;
  /** Of the lease, when the job was missing for the last time: heartbeats raise it. */
  readonly revision: number;
  /** Number of heartbeats that were seen to lack it after the first one. */
  readonly misses: number;
}

type Suspects = ReadonlyMap<string, Suspect>;
type Held = Pick<LedgerEntry, 'jobId' | 'fence' | 'workerId'>;

/** The heartbeat that was the first to lack a grant may have been sent before the worker received it. */
const missesOfGrant = 1;
/** A report of its end may be under way, and a worker may forget a job before it reports. */
const missesOfBegun = 3;
const begunCheckMs = 30_000;
/** Most workers whose leases one scan reads. */
const workersPerScan = 500;

/** Finds jobs that their workers do not have. */
export class UnlistedJobs {
  readonly #options: UnlistedJobsOptions;
  #grants: Suspects = new Map();
  #begun: Suspects = new Map();
  #checkedAt = -Infinity;
  /** Workers that this round of checks has not reached, and the suspects that it has found. */
  #round: { readonly workers: string[]; readonly suspects: Map<string, Suspect> } | undefined;

  constructor(options: UnlistedJobsOptions) {
    this.#options = options;
  }

  /** Grants that their workers never received. */
  async grants(): Promise<readonly GrantRef[]> {
    const { suspects, unlisted } = await this.#check(
      this.#settled(this.#options.ledger.sent()),
      this.#grants,
      missesOfGrant,
    );
    this.#grants = suspects;
    return unlisted;
  }

  /** Jobs that their workers began and no longer have, by worker; none between two rounds of checks. */
  async begun(): Promise<ReadonlyMap<string, readonly GrantRef[]>> {
    const { clock, ledger } = this.#options;
    const now = clock.monotonicMs();
    if (!this.#round) {
      if (now < this.#checkedAt + begunCheckMs) return new Map();
      this.#checkedAt = now;
      this.#round = { workers: [...ledger.workers()], suspects: new Map() };
    }
    const { workers, suspects: found } = this.#round;
    const held = workers.splice(-workersPerScan).flatMap((workerId) => this.#begunBy(workerId));
    const { suspects, unlisted } = await this.#check(held, this.#begun, missesOfBegun);
    for (const [jobId, suspect] of suspects) found.set(jobId, suspect);
    if (workers.length === 0) {
      this.#begun = found;
      this.#round = undefined;
    }
    const byWorker = new Map<string, GrantRef[]>();
    for (const { workerId, jobId, fence } of unlisted)
      byWorker.set(workerId, [...(byWorker.get(workerId) ?? []), { jobId, fence }]);
    return byWorker;
  }

  #begunBy(workerId: string): readonly Held[] {
    const held = this.#options.ledger.entriesOf(workerId);
    return this.#settled(held.filter(({ state }) => state !== 'SENT'));
  }

  /** Entries that have been written, and are old enough to be in heartbeats. */
  #settled(entries: Iterable<Readonly<LedgerEntry>>): readonly Held[] {
    const { clock, graceMs = 20_000 } = this.#options;
    const before = clock.monotonicMs() - graceMs;
    return [...entries].filter(({ since, fence }) => since <= before && fence !== Infinity);
  }

  async #check(
    held: readonly Held[],
    known: Suspects,
    enough: number,
  ): Promise<{ readonly suspects: Suspects; readonly unlisted: readonly Held[] }> {
    const suspects = new Map<string, Suspect>();
    const unlisted: Held[] = [];
    if (held.length === 0) return { suspects, unlisted };
    const found = await this.#options.leases.findHeldJobs([...new Set(held.map(({ workerId }) => workerId))]);
    const leases = new Map(
      found.map(({ _id, revision, jobs }) => [_id, { revision, listed: new Set(jobs.map(({ id }) => id)) }]),
    );
    for (const job of held) {
      const lease = leases.get(job.workerId);
      if (!lease || lease.listed.has(job.jobId)) continue;
      const suspect = next(known.get(job.jobId), job.fence, lease.revision);
      if (suspect.misses >= enough) unlisted.push(job);
      else suspects.set(job.jobId, suspect);
    }
    return { suspects, unlisted };
  }
}

function next(before: Suspect | undefined, fence: number, revision: number): Suspect {
  if (before?.fence !== fence) return { fence, revision, misses: 0 };
  return revision > before.revision ? { fence, revision, misses: before.misses + 1 } : before;
}
