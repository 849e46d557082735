/** Requests of a payload that are open at once. */

/** Kinds of requests: calls that wait for units do not keep reports out. */
export type RequestKind = 'lease' | 'report';

/** Counts the requests of an attempt, at its socket and in its folder. */
export class OpenRequests {
  readonly #max: number;
  readonly #open = { lease: 0, report: 0 };

  /** @param max of leases, and as many of reports */
  constructor(max: number) {
    this.#max = max;
  }

  /** Opens a request; the result ends it. Undefined if there are too many. */
  enter(kind: RequestKind): (() => void) | undefined {
    if (this.#open[kind] >= this.#max) return undefined;
    this.#open[kind]++;
    return () => this.#open[kind]--;
  }

  get max(): number {
    return this.#max;
  }
}
