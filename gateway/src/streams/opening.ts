import type { Clock } from '@rhizome/clock';
import { expiry, longestLasting } from './shared-stream.js';
import type { StreamRequest } from './types.js';

/** Who opens an upstream. */
export interface Opening {
  /** Undefined when everybody has left. */
  choose(): StreamRequest | undefined;
  /** Whether somebody else could open it now. */
  canChange(): boolean;
}

/** Whoever of those who read an upstream together has the longest lasting token. */
export class Opener implements Opening {
  readonly #readers: () => Iterable<StreamRequest>;
  readonly #clock: Clock;
  #last: StreamRequest | undefined;

  constructor(readers: () => Iterable<StreamRequest>, clock: Clock) {
    this.#readers = readers;
    this.#clock = clock;
  }

  choose(): StreamRequest | undefined {
    this.#last = longestLasting(this.#readers()) ?? this.#last;
    return this.#last;
  }

  canChange(): boolean {
    const next = longestLasting(this.#readers());
    if (!next || !this.#last || next.principal === this.#last.principal) return false;
    return expiry(next) > this.#clock.now().getTime();
  }
}

/** A client's own upstream is opened by that client. */
export class Self implements Opening {
  readonly #request: StreamRequest;

  constructor(request: StreamRequest) {
    this.#request = request;
  }

  choose(): StreamRequest {
    return this.#request;
  }

  canChange(): boolean {
    return false;
  }
}
