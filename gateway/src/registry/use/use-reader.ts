/** Recorded use of schema elements. */
import type { Clock } from '@rhizome/clock';
import type { UsesRepository, UseTotal } from '../store/uses.repository.js';

/** Use of a schema element by one client. */
export interface ClientUse {
  readonly client: string;
  readonly version: string;
  readonly requests: number;
  /** Day in UTC, e.g. `2030-05-17`. */
  readonly lastUsedOn: string;
}

/** Recorded use of a schema element. */
export interface CoordinateUse {
  readonly requests: number;
  readonly clients: readonly ClientUse[];
  readonly lastUsedOn: string | null;
  readonly recordedSince: Date;
  /** True if recording covers the whole window and no client has used the element in it. */
  readonly isUnused: boolean;
}

/** Days without use after which a schema element may be removed. */
const unusedDays = 30;
const dayMs = 86_400_000;
const mostClients = 20;

/** Reads recorded use. */
export class UseReader {
  readonly #uses: UsesRepository;
  readonly #clock: Clock;

  constructor(uses: UsesRepository, clock: Clock) {
    this.#uses = uses;
    this.#clock = clock;
  }

  /**
   * Use in the last 30 days of each of several sets of coordinates: `Type.field`, `Type.field(argument:)`, or
   * `Type` for everything that touches the type. Null for an empty set, and for all sets while nothing is
   * recorded.
   */
  async of(sets: readonly (readonly string[])[]): Promise<readonly (CoordinateUse | null)[]> {
    const recordedSince = await this.#uses.recordedSince();
    const coordinates = [...new Set(sets.flat())];
    if (!recordedSince || coordinates.length === 0) return sets.map(() => null);
    const now = this.#clock.now().getTime();
    const sinceDay = new Date(now - unusedDays * dayMs).toISOString().slice(0, 10);
    const types = coordinates.filter((coordinate) => !coordinate.includes('.'));
    const totals = await this.#uses.totals(coordinates, types, sinceDay);
    const isWhole = now - recordedSince.getTime() >= unusedDays * dayMs;
    return sets.map((set) => (set.length === 0 ? null : useOf(set, totals, recordedSince, isWhole)));
  }
}

function useOf(
  coordinates: readonly string[],
  totals: readonly UseTotal[],
  recordedSince: Date,
  isWhole: boolean,
): CoordinateUse {
  const touching = totals.filter(
    (total) => coordinates.includes(total.coordinate) || coordinates.includes(total.type),
  );
  const clients = new Map<string, ClientUse>();
  for (const { client, clientVersion: version, requests, lastUsedOn } of touching) {
    const key = `${client}\n${version}`;
    const known = clients.get(key);
    clients.set(key, {
      client,
      version,
      // A request that touches several elements of a type is one request: the largest count is a lower bound.
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
