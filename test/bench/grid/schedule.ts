/**
 * When the workers of a generator speak: evenly spread, so that each interval has the same number of calls.
 */

/**
 * Numbers of the workers whose heartbeats are due in a time: each worker once in a period, one after the
 * other.
 * @param from times since the start, in milliseconds; the end is not part of it
 */
export function* dueWorkers(
  { from, until }: { readonly from: number; readonly until: number },
  { workers, periodMs }: { readonly workers: number; readonly periodMs: number },
): Generator<number, void, undefined> {
  if (workers === 0) return;
  const turnAt = (ms: number): number => Math.ceil((ms / periodMs) * workers);
  // After a stall each worker speaks once, as a pilot does.
  const last = turnAt(until);
  for (let turn = Math.max(turnAt(from), last - workers); turn < last; turn += 1) yield turn % workers;
}

/** Numbers of events at a rate: what is left of one is carried over to the next time. */
export class Pace {
  #perSecond = 0;
  #elapsedMs = 0;
  #given = 0;

  set(perSecond: number): void {
    [this.#perSecond, this.#elapsedMs, this.#given] = [perSecond, 0, 0];
  }

  /** Number of events that are due after another time in milliseconds. */
  after(ms: number): number {
    this.#elapsedMs += ms;
    const due = Math.floor((this.#perSecond * this.#elapsedMs) / 1000) - this.#given;
    this.#given += due;
    return due;
  }
}

/**
 * Address of the loopback network from which a worker connects: each address has ports for a part of them.
 */
export function sourceAddress(worker: number, perAddress: number): string {
  const host = Math.floor(worker / perAddress) + 2;
  return `127.0.${Math.floor(host / 250)}.${(host % 250) + 1}`;
}
