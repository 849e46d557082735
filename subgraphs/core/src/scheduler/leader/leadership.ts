/**
 * Who leads. One core process at a time holds the broker lease; it alone grants jobs and does what only one may do. The store's clock decides
 * when a lease has ended; this process counts its own time on its monotonic clock and steps down before the store can have given the lease
 * away, also when it can no longer ask.
 */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { BrokerLeaseRepository } from './broker-lease.repository.js';

/** What parts of core that only the leader runs are handed. */
export interface Leadership {
  /** Whether this process leads at this moment. */
  isLeader(): boolean;
  /** The epoch it leads under, or undefined. */
  readonly epoch: number | undefined;
  /** Where the leader takes calls, if there is one with an address. */
  leaderUrl(): string | undefined;
  /** Calls the listener when this process begins to lead; the signal is aborted when it no longer does. Returns how to stop. */
  onGained(listener: (signal: AbortSignal, epoch: number) => void): () => void;
  /** Calls the listener when this process no longer leads. Returns how to stop. */
  onLost(listener: () => void): () => void;
  /** Calls the listener when {@link leaderUrl} has become another one, also when it is no longer known. Returns how to stop. */
  onLeaderChanged(listener: () => void): () => void;
}

/** What {@link BrokerLeadership} is made of. */
export interface LeadershipOptions {
  readonly leases: BrokerLeaseRepository;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names this process. */
  readonly holder: string;
  /** Where this process takes GraphQL calls, asked when it begins to lead; nowhere where it is alone. */
  readonly url?: (() => string | undefined) | undefined;
  readonly ttlMs: number;
  readonly renewMs: number;
}

interface Term {
  readonly holder: string;
  readonly epoch: number;
  readonly firstFence: number;
  readonly abort: AbortController;
  /** Monotonic; from here on the store may have given the lease to another. */
  unsureAt: number;
}

/** See the head of this file. */
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

  /** Grants of this term have this fence or a greater one; those of former leaders a smaller one. */
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

  /** Makes the lease document if there is none, tries for the lease at once, and goes on by itself. */
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

  /** Steps down, and gives the lease back so that another can lead at once. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timers.forEach(clearInterval);
    await this.#stepping;
    const term = this.#term;
    this.#stepDown('stopped');
    if (term)
      await this.#options.leases
        .release(term)
        .catch((err: unknown) => this.#options.log.warn({ err }, 'broker lease was not given back'));
  }

  /** Neither renews nor tries to lead any more, and does not give the lease back either: what a crash leaves behind. */
  suspend(): void {
    this.#isStopped = true;
    this.#timers.forEach(clearInterval);
  }

  /** Renews or tries to take the lease once; calls do not overlap. Faults of the store are logged: the next step tries again. */
  async step(): Promise<void> {
    this.#stepping ??= this.#step()
      .catch((err: unknown) => this.#options.log.warn({ err }, 'broker lease could not be read or renewed'))
      .finally(() => (this.#stepping = undefined));
    await this.#stepping;
  }

  /**
   * Gives out fences for a group of grants, {@link fenceStep} apart, and proves in the same update that this process still leads.
   * @throws DomainError EPOCH_STALE when another leads by now; this process has then stepped down
   * @throws DomainError LEADER_UNAVAILABLE when this process does not lead
   */
  async allocateFences(count: number): Promise<number> {
    const term = this.#term;
    if (!term || !this.isLeader())
      throw new DomainError('LEADER_UNAVAILABLE', 'This process does not lead the broker');
    const asked = this.#options.clock.monotonicMs();
    const first = await this.#options.leases.allocate(term, count);
    if (first === undefined) {
      this.#stepDown('another process leads');
      throw new DomainError('EPOCH_STALE', `Epoch ${term.epoch} of the broker has ended`, {
        field: 'epoch',
        value: term.epoch,
      });
    }
    this.#prolong(term, asked);
    return first;
  }

  async #step(): Promise<void> {
    if (this.#isStopped) return;
    this.#stepDownIfUnsure();
    const term = this.#term;
    const asked = this.#options.clock.monotonicMs();
    if (!term) return this.#tryToLead(asked);
    if (await this.#options.leases.renew(term)) this.#prolong(term, asked);
    else this.#stepDown('another process leads');
  }

  async #tryToLead(asked: number): Promise<void> {
    const { leases, holder, log } = this.#options;
    const url = this.#options.url?.();
    const lease = await leases.take(holder, url);
    if (!lease) {
      this.#follow((await leases.current())?.url);
      return;
    }
    const term: Term = {
      holder,
      epoch: lease.epoch,
      firstFence: lease.nextFence,
      abort: new AbortController(),
      unsureAt: 0,
    };
    this.#prolong(term, asked);
    this.#term = term;
    this.#follow(url);
    log.info({ epoch: term.epoch }, 'leads the broker');
    for (const listener of this.#gained) listener(term.abort.signal, term.epoch);
  }

  #follow(url: string | undefined): void {
    if (url === this.#leaderUrl) return;
    this.#leaderUrl = url;
    for (const listener of this.#leaderChanged) listener();
  }

  /** Counted from before the store was asked, and less a part for clocks that run at different speeds. */
  #prolong(term: Term, asked: number): void {
    const { ttlMs } = this.#options;
    term.unsureAt = Math.max(term.unsureAt, asked + ttlMs - Math.ceil(ttlMs / 5));
  }

  #stepDownIfUnsure(): void {
    if (this.#term && !this.isLeader()) this.#stepDown('the lease was not renewed in time');
  }

  #stepDown(reason: string): void {
    const term = this.#term;
    if (!term) return;
    this.#term = undefined;
    this.#follow(undefined);
    this.#options.log.info({ epoch: term.epoch, reason }, 'no longer leads the broker');
    term.abort.abort();
    for (const listener of this.#lost) listener();
  }
}
