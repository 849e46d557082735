import type { Logger } from '@rhizome/log';
import { followNotices, type StoreNotices } from '../../shared/followed-notices.js';
import type { UnitGates } from '../../units/reports/gated-lease.js';
import type { FleetState } from '../model/fleet.types.js';
import type { FleetGateFacts, FleetsRepository } from '../store/fleets.repository.js';

/** Dependencies of {@link FleetGates}. */
export interface FleetGatesOptions {
  readonly fleets: Pick<FleetsRepository, 'gates'>;
  readonly notices: StoreNotices;
  readonly log: Logger;
}

interface KnownGate {
  readonly state: FleetState;
  readonly released: ReadonlySet<string>;
}

/**
 * States of fleets and their released jobs in memory, in each process of core: a pause and a release reach
 * calls that wait for units as soon as the change stream reports them.
 */
export class FleetGates implements UnitGates {
  readonly #options: FleetGatesOptions;
  readonly #gates = new Map<string, KnownGate>();
  readonly #listeners = new Map<string, Set<() => void>>();
  #unfollow: (() => void) | undefined;
  /** One read after another: an older answer must not replace a newer one. */
  #order: Promise<void> = Promise.resolve();

  constructor(options: FleetGatesOptions) {
    this.#options = options;
  }

  /** Reads the fleets, and follows later changes. The event stream must be open. */
  async start(): Promise<void> {
    const { notices, log } = this.#options;
    const memory = {
      name: 'fleets',
      load: () => this.#read(undefined),
      refresh: (ids: readonly string[]) => this.#read([...new Set(ids)]),
    };
    const failed = (err: unknown): void => log.warn({ err }, 'states of fleets could not be read');
    this.#unfollow = followNotices(notices, memory, failed);
    await this.#read(undefined);
  }

  /** Stops following changes. */
  stop(): void {
    this.#unfollow?.();
  }

  async of(fleetId: string, jobId: string): Promise<'OPEN' | 'PAUSED' | 'RELEASED'> {
    // The change stream may report a new fleet later than its first job asks.
    if (!this.#gates.has(fleetId)) await this.#read([fleetId]);
    else await this.#order;
    const gate = this.#gates.get(fleetId);
    if (!gate || gate.state === 'DRAINING' || gate.released.has(jobId)) return 'RELEASED';
    return gate.state === 'PAUSED' ? 'PAUSED' : 'OPEN';
  }

  onChange(fleetId: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(fleetId) ?? new Set();
    this.#listeners.set(fleetId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(fleetId) === listeners) this.#listeners.delete(fleetId);
    };
  }

  #read(ids: readonly string[] | undefined): Promise<void> {
    const next = this.#order.then(async () => {
      const found = await this.#options.fleets.gates(ids);
      this.#apply(new Map(found.map((fleet) => [fleet._id, fleet])), ids ?? [...this.#gates.keys()]);
    });
    this.#order = next.catch(() => undefined);
    return next;
  }

  #apply(found: ReadonlyMap<string, FleetGateFacts>, asked: readonly string[]): void {
    for (const id of asked) if (!found.has(id)) this.#gates.delete(id);
    for (const [id, { state, members }] of found)
      this.#gates.set(id, {
        state,
        released: new Set(members.flatMap((member) => (member.releasedAt ? [member.id] : []))),
      });
    for (const id of new Set([...asked, ...found.keys()]))
      for (const listener of [...(this.#listeners.get(id) ?? [])]) listener();
  }
}
