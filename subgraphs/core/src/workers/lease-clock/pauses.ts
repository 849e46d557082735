/**
 * Times during which the lease clock stood still. A lease runs from the latest heartbeat of its worker; a
 * pause after that heartbeat does not count. So that all leases get their full time again, one pause without
 * a beginning replaces all others: then each lease runs from the end of that pause.
 */
/** A time during which the clock stood still, by the clock of the store. */
export interface Pause {
  readonly from: Date;
  readonly until: Date;
}

/** Start and end of a lease as its worker's latest heartbeat has set them. */
export interface LeaseTimes {
  readonly updatedAt: Date;
  readonly expiresAt: Date;
}

/**
 * Most pauses that are kept. Beyond that, the oldest two become one, with the time between them: leases then
 * run longer, never shorter.
 */
const mostPauses = 16;

const beginning = new Date(0);

/** The pauses of one term of the leader. */
export class Pauses {
  #pauses: readonly Pause[] = [];

  /** All pauses, the oldest first; they do not overlap. */
  get all(): readonly Pause[] {
    return this.#pauses;
  }

  /** Gives all leases their full time again, from this time on. */
  restart(at: Date): void {
    this.add({ from: beginning, until: at });
  }

  /** Adds a pause, which may overlap others. */
  add({ from, until }: Pause): void {
    if (from >= until) return;
    const touched = this.#pauses.filter((one) => one.until >= from && one.from <= until);
    const others = this.#pauses.filter((one) => !touched.includes(one));
    const merged = {
      from: earliest([from, ...touched.map((one) => one.from)]),
      until: latest([until, ...touched.map((one) => one.until)]),
    };
    this.#pauses = bounded([...others, merged].sort((a, b) => a.from.getTime() - b.from.getTime()));
  }

  /** Time at which a lease ends. */
  endOf({ updatedAt, expiresAt }: LeaseTimes): Date {
    const ms = this.#pauses
      .map(({ from, until }) => Math.max(0, until.getTime() - Math.max(updatedAt.getTime(), from.getTime())))
      .reduce((sum, one) => sum + one, 0);
    return new Date(expiresAt.getTime() + ms);
  }

  /** The same as an expression over a stored lease. */
  endExpression(): object {
    const extensions = this.#pauses.map(({ from, until }) => ({
      $max: [0, { $subtract: [until, { $max: ['$updatedAt', from] }] }],
    }));
    return { $add: ['$expiresAt', ...extensions] };
  }
}

function bounded(pauses: readonly Pause[]): readonly Pause[] {
  const [first, second, ...rest] = pauses;
  if (pauses.length <= mostPauses || !first || !second) return pauses;
  return [{ from: first.from, until: second.until }, ...rest];
}

function earliest(times: readonly Date[]): Date {
  return new Date(Math.min(...times.map((time) => time.getTime())));
}

function latest(times: readonly Date[]): Date {
  return new Date(Math.max(...times.map((time) => time.getTime())));
}
