/**
 * Leader election. One core process at a time holds the broker lease; it alone grants jobs and runs leader
 * tasks. The store's clock decides when a lease has expired; this process counts its own time on its
 * monotonic clock and steps down before the store can have given the lease to another, even when the store is
 * unavailable.
 */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { BrokerLeaseRepository } from './broker-lease.repository.js';

/** Leadership as seen by the parts of core that only run in the leader. */
export interface Leadership {
  /** Returns true if this process leads at this moment. */
  isLeader(): boolean;
  /** Epoch of the current term, or undefined. */
  readonly epoch: number | undefined;
  /** Address of the leader, if there is one with an address. */
  leaderUrl(): string | undefined;
  /**
   * Calls the listener when this process begins to lead; the signal is aborted when it no longer does.
   * Returns a function that removes it.
   */
  onGained(listener: (signal: AbortSignal, epoch: number) => void): () => void;
  /** Calls the listener when this process no longer leads. Returns a function that removes it. */
  onLost(listener: () => void): () => void;
  /**
   * Calls the listener when {@link leaderUrl} changes or becomes unknown. Returns a function that removes it.
   */
  onLeaderChanged(listener: () => void): () => void;
}

export interface LeadershipOptions {
  readonly leases: BrokerLeaseRepository;
  readonly clock: Clock;
  readonly log: Logger;
  /** Id of this process. */
  readonly holder: string;
  /**
   * Address of this process for GraphQL calls, evaluated when it begins to lead; undefined if it is alone.
   */
  readonly url?: (() => string | undefined) | undefined;
  readonly ttlMs: number;
  readonly renewMs: number;
}

interface Term {
  readonly holder: string;
  readonly epoch: number;
  /** By the clock of the store. */
  readonly startedAt: Date;
  readonly firstFence: number;
  readonly abort: AbortController;
  /** Monotonic time after which the store may have given the lease to another process. */
  unsureAt: number;
}

/** Takes and renews the broker lease. */
export class BrokerLeadership implements Leadership {
  readonly #options: LeadershipOptions;
  readonly #gained = new Set<(signal: AbortSignal, epoch: number) => void>();
  readonly #lost = new Set<() => void>();
  readonly #leaderChanged = new Set<() => void>();
  #term: Term | undefined;
  #leaderUrl: string | undefined;
  #timers: NodeJS.Timeout[] = [];
  #stepping: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get epoch(): number | undefined {
    return this.isLeader() ? this.#term?.epoch : undefined;
  }

  /** The current term, or undefined. */
  get term(): { readonly epoch: number; readonly startedAt: Date } | undefined {
    return this.isLeader() ? this.#term : undefined;
  }

  /** First fence of this term: grants of former leaders have smaller ones. */
  get firstFence(): number | undefined {
    return this.#term?.firstFence;
  }

  isLeader(): boolean {
    return this.#term !== undefined && this.#options.clock.monotonicMs() < this.#term.unsureAt;
  }

  leaderUrl(): string | undefined {
    return this.isLeader() ? this.#options.url?.() : this.#leaderUrl;
  }

  onGained(listener: (signal: AbortSignal, epoch: number) => void): () => void {
    this.#gained.add(listener);
    if (this.#term && this.isLeader()) listener(this.#term.abort.signal, this.#term.epoch);
    return () => this.#gained.delete(listener);
  }

  onLost(listener: () => void): () => void {
    this.#lost.add(listener);
    return () => this.#lost.delete(listener);
  }

  onLeaderChanged(listener: () => void): () => void {
    this.#leaderChanged.add(listener);
    return () => this.#leaderChanged.delete(listener);
  }

  /**
   * Creates the lease document if it does not exist, tries to take the lease, and repeats that periodically.
   */
  async start(): Promise<void> {
    await this.#options.leases.prepare(this.#options.clock.now());
    await this.step();
    const { renewMs } = this.#options;
    this.#timers = [
      setInterval(() => void this.step(), renewMs),
      setInterval(() => this.#stepDownIfUnsure(), Math.min(250, renewMs)),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Steps down and releases the lease, so that another process can lead at once. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timers.forEach(clearInterval);
    await this.#stepping;
    const term = this.#term;
    this.#stepDown('stopped');
    if (term)
      await this.#options.leases
        .release(term)
        .catch((err: unknown) => this.#options.log.warn({ err }, 'broker lease could not be released'));
  }

  /** Stops without releasing the lease, as after a crash. */
  suspend(): void {
    this.#isStopped = true;
    this.#timers.forEach(clearInterval);
  }

  /**
   * Renews or tries to take the lease once; calls do not overlap. Errors of the store are logged: the next
   * step tries again.
   */
  async step(): Promise<void> {
    this.#stepping ??= this.#step()
      .catch((err: unknown) => this.#options.log.warn({ err }, 'broker lease could not be read or renewed'))
      .finally(() => (this.#stepping = undefined));
    await this.#stepping;
  }

  /**
   * Allocates fences for a group of grants, {@link fenceStep} apart, and proves in the same update that this
   * process still leads.
   * @throws DomainError EPOCH_STALE when another process leads now; this process has then stepped down
   * @throws DomainError LEADER_UNAVAILABLE when this process does not lead
   */
  async allocateFences(count: number): Promise<number> {
    const term = this.#term;
    if (!term || !this.isLeader())
      throw new DomainError('LEADER_UNAVAILABLE', 'This process does not lead the broker');
    const requestedMs = this.#options.clock.monotonicMs();
    const first = await this.#options.leases.allocate(term, count);
    if (first === undefined) {
      this.#stepDown('another process leads');
      throw new DomainError('EPOCH_STALE', `Epoch ${term.epoch} of the broker has ended`, {
        field: 'epoch',
        value: term.epoch,
      });
    }
    this.#prolong(term, requestedMs);
    return first;
  }

  async #step(): Promise<void> {
    if (this.#isStopped) return;
    this.#stepDownIfUnsure();
    const term = this.#term;
    const requestedMs = this.#options.clock.monotonicMs();
    if (!term) return this.#tryToLead(requestedMs);
    if (await this.#options.leases.renew(term)) this.#prolong(term, requestedMs);
    else this.#stepDown('another process leads');
  }

  async #tryToLead(requestedMs: number): Promise<void> {
    const { leases, holder, log } = this.#options;
    const url = this.#options.url?.();
    const lease = await leases.acquire(holder, url);
    if (!lease) {
      this.#follow((await leases.current())?.url);
      return;
    }
    const term: Term = {
      holder,
      epoch: lease.epoch,
      startedAt: lease.updatedAt,
      firstFence: lease.nextFence,
      abort: new AbortController(),
      unsureAt: 0,
    };
    this.#prolong(term, requestedMs);
    this.#term = term;
    this.#follow(url);
    log.info({ epoch: term.epoch }, 'leadership gained');
    for (const listener of this.#gained) listener(term.abort.signal, term.epoch);
  }

  #follow(url: string | undefined): void {
    if (url === this.#leaderUrl) return;
    this.#leaderUrl = url;
    for (const listener of this.#leaderChanged) listener();
  }

  /** Counts from before the request to the store, minus a margin for clocks of different speed. */
  #prolong(term: Term, requestedMs: number): void {
    const { ttlMs } = this.#options;
    term.unsureAt = Math.max(term.unsureAt, requestedMs + ttlMs - Math.ceil(ttlMs / 5));
  }

  #stepDownIfUnsure(): void {
    if (this.#term && !this.isLeader()) this.#stepDown('the lease was not renewed in time');
  }

  #stepDown(reason: string): void {
    const term = this.#term;
    if (!term) return;
    this.#term = undefined;
    this.#follow(undefined);
    this.#options.log.info({ epoch: term.epoch, reason }, 'leadership lost');
    term.abort.abort();
    for (const listener of this.#lost) listener();
  }
}
