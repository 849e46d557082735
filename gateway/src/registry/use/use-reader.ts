/** Who uses which places of the schema, as far as it is recorded. */
import type { Clock } from '@rhizome/clock';
import type { UsesRepository, UseTotal } from '../store/uses.repository.js';

/** How much one client has used a place. */
export interface ClientUse {
  readonly client: string;
  readonly version: string;
  readonly requests: number;
  /** The day in UTC, as `2030-05-17`. */
  readonly lastUsedOn: string;
}

/** Recorded use of a place. */
export interface CoordinateUse {
  readonly requests: number;
  readonly clients: readonly ClientUse[];
  readonly lastUsedOn: string | null;
  readonly recordedSince: Date;
  /** Whether recording has lasted for the whole window, and nobody has used the place in it. */
  readonly isUnused: boolean;
}

/** Days without use after which a place may go. */
const unusedDays = 30;
const dayMs = 86_400_000;
const mostClients = 20;

/** See the head of this file. */
export class UseReader {
  readonly #uses: UsesRepository;
  readonly #clock: Clock;

  constructor(uses: UsesRepository, clock: Clock) {
    this.#uses = uses;
    this.#clock = clock;
  }

  /**
   * The use of each of several sets of places, in the last 30 days: a place is `Type.field`, `Type.field(argument:)`, or `Type` for all that
   * touches the type. Null for an empty set, and for all while nothing is recorded.
   */
  async of(sets: readonly (readonly string[])[]): Promise<readonly (CoordinateUse | null)[]> {
    const recordedSince = await this.#uses.recordedSince();
    const places = [...new Set(sets.flat())];
    if (!recordedSince || places.length === 0) return sets.map(() => null);
    const now = this.#clock.now().getTime();
    const sinceDay = new Date(now - unusedDays * dayMs).toISOString().slice(0, 10);
    const types = places.filter((place) => !place.includes('.'));
    const totals = await this.#uses.totals(places, types, sinceDay);
    const isWhole = now - recordedSince.getTime() >= unusedDays * dayMs;
    return sets.map((set) => (set.length === 0 ? null : useOf(set, totals, recordedSince, isWhole)));
  }
}

function useOf(
  places: readonly string[],
  totals: readonly UseTotal[],
  recordedSince: Date,
  isWhole: boolean,
): CoordinateUse {
  const touching = totals.filter((total) => places.includes(total.coordinate) || places.includes(total.type));
  const clients = new Map<string, ClientUse>();
  for (const { client, clientVersion: version, requests, lastUsedOn } of touching) {
    const key = `${client}\n${version}`;
    const known = clients.get(key);
    clients.set(key, {
      client,
      version,
      // A request that touches several places of a type is one request: the largest count is a floor for it.
      requests: Math.max(requests, known?.requests ?? 0),
      lastUsedOn: known && known.lastUsedOn > lastUsedOn ? known.lastUsedOn : lastUsedOn,
    });
  }
  const sorted = [...clients.values()].sort(
    (a, b) => b.requests - a.requests || (a.client < b.client ? -1 : 1),
  );
  const requests = sorted.reduce((sum, one) => sum + one.requests, 0);
  const days = sorted.map(({ lastUsedOn }) => lastUsedOn).sort();
  return {
    requests,
    clients: sorted.slice(0, mostClients),
    lastUsedOn: days.at(-1) ?? null,
    recordedSince,
    isUnused: isWhole && requests === 0,
  };
}
