/**
 * Groups heartbeats: those that arrive within a few milliseconds renew their leases in one call of the store.
 * The more arrive, the longer a group waits for further ones, and the fewer calls there are for each.
 */
import type { LeasesRepository, Renewal } from './leases.repository.js';
import type { LeaseTerms } from '../worker.types.js';

interface Waiting {
  readonly renewal: Renewal;
  readonly resolve: (lease: LeaseTerms | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Most leases renewed by one call. */
const maxGroup = 1000;
/** Longest wait of a group, in milliseconds: short compared with the time between two heartbeats. */
const longestDelayMs = 50;
/** Wait for each heartbeat of the group before. */
const delayPerHeartbeatMs = 2;

/** Renews leases in groups. */
export class Heartbeats {
  readonly #leases: Pick<LeasesRepository, 'renew' | 'findTerms'>;
  readonly #delayMs: number;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #latestGroup = 0;

  constructor(leases: Pick<LeasesRepository, 'renew' | 'findTerms'>, delayMs = 5) {
    this.#leases = leases;
    this.#delayMs = delayMs;
  }

  /** Renews a lease. @returns the current lease, lost or not; undefined when there is none */
  renew(renewal: Renewal): Promise<LeaseTerms | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ renewal, resolve, reject });
      if (this.#waiting.length >= maxGroup) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), this.#nextDelayMs());
    });
  }

  #nextDelayMs(): number {
    return Math.max(this.#delayMs, Math.min(longestDelayMs, this.#latestGroup * delayPerHeartbeatMs));
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const group = this.#waiting;
    this.#waiting = [];
    this.#latestGroup = group.length;
    void this.#write(group);
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#leases.renew(group.map(({ renewal }) => renewal));
      const found = await this.#leases.findTerms(group.map(({ renewal }) => renewal.workerId));
      const byId = new Map(found.map((lease) => [lease._id, lease]));
      for (const { renewal, resolve } of group) resolve(byId.get(renewal.workerId));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
