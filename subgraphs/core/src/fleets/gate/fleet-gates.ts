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

/** Answer to a job that asks for units. */
type Gate = 'OPEN' | 'PAUSED' | 'RELEASED';

interface GateListener {
  readonly jobId: string;
  readonly call: () => void;
}

interface KnownGate {
  readonly state: FleetState;
  /** The jobs of the fleet; true for a released one. */
  readonly jobs: ReadonlyMap<string, boolean>;
}

/**
 * States of fleets and their released jobs in memory, in each process of core: a pause and a release reach
 * calls that wait for units as soon as the change stream reports them.
 */
export class FleetGates implements UnitGates {
  readonly #options: FleetGatesOptions;
  readonly #gates = new Map<string, KnownGate>();
  readonly #listeners = new Map<string, Set<GateListener>>();
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

  async of(fleetId: string, jobId: string): Promise<Gate> {
    // The change stream may report a new fleet or job later than the job asks.
    if (!this.#gates.get(fleetId)?.jobs.has(jobId)) await this.#read([fleetId]);
    else await this.#order;
    return gateOf(this.#gates.get(fleetId), jobId);
  }

  onChange(fleetId: string, jobId: string, call: () => void): () => void {
    const listeners = this.#listeners.get(fleetId) ?? new Set();
    const listener = { jobId, call };
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
    const ids = new Set([...asked, ...found.keys()]);
    const before = new Map([...ids].map((id) => [id, this.#gates.get(id)]));
    for (const id of asked) if (!found.has(id)) this.#gates.delete(id);
    for (const [id, { state, members }] of found)
      this.#gates.set(id, {
        state,
        jobs: new Map(members.map((member) => [member.id, member.releasedAt !== undefined])),
      });
    for (const id of ids)
      for (const { jobId, call } of [...(this.#listeners.get(id) ?? [])])
        if (gateOf(before.get(id), jobId) !== gateOf(this.#gates.get(id), jobId)) call();
  }
}

function gateOf(gate: KnownGate | undefined, jobId: string): Gate {
  // A job that the fleet does not have is not replaced, and ends by itself only if it gets no units.
  if (!gate || gate.state === 'DRAINING' || gate.jobs.get(jobId) !== false) return 'RELEASED';
  return gate.state === 'PAUSED' ? 'PAUSED' : 'OPEN';
}
