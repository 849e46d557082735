import type { Clock } from '@rhizome/clock';
import { expiry, longestLasting } from './shared-stream.js';
import type { StreamRequest } from './types.js';

/** Chooses the client that opens an upstream: the reader whose token is valid for longest. */
export class Opener {
  readonly #readers: () => Iterable<StreamRequest>;
  readonly #clock: Clock;
  #last: StreamRequest | undefined;

  constructor(readers: () => Iterable<StreamRequest>, clock: Clock) {
    this.#readers = readers;
    this.#clock = clock;
  }

  /** Undefined when all clients have left. */
  choose(): StreamRequest | undefined {
    this.#last = longestLasting(this.#readers()) ?? this.#last;
    return this.#last;
  }

  /** True if another client could open it now. */
  canChange(): boolean {
    const next = longestLasting(this.#readers());
    if (!next || !this.#last || next.principal === this.#last.principal) return false;
    return expiry(next) > this.#clock.now().getTime();
  }
}
