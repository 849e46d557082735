/**
 * Records refusals, and requests that wait for a decision: the first of a kind at once, equal ones of the
 * same minute together.
 */
import type { AuditCall, CallResult } from '@rhizome/audit';
import type { Clock } from '@rhizome/clock';

/** A refusal as it is recorded. */
export interface Refusal extends CallResult {
  readonly call: AuditCall;
}

/** Ports of {@link Refusals}. */
export interface RefusalsOptions {
  readonly clock: Clock;
  readonly record: (refusal: Refusal) => void;
}

interface Repeated {
  last: Refusal;
  count: number;
}

const windowMs = 60_000;
/** Kinds of refusals of one minute that have an entry at once; those beyond are one kind. */
const mostKinds = 1_000;

/** Bounds what callers that are refused can write: an entry a minute for each kind of refusal. */
export class Refusals {
  readonly #options: RefusalsOptions;
  #repeated = new Map<string, Repeated>();
  #endsAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** Records a refusal. */
  add(refusal: Refusal): void {
    const now = this.#options.clock.monotonicMs();
    if (now >= this.#endsAt) {
      this.flush();
      this.#endsAt = now + windowMs;
      this.#timer = setTimeout(() => this.flush(), windowMs);
      this.#timer.unref();
    }
    const key = this.#keyOf(refusal);
    const same = this.#repeated.get(key);
    if (same) {
      same.count += 1;
      same.last = refusal;
      return;
    }
    this.#repeated.set(key, { last: refusal, count: 0 });
    this.#options.record(refusal);
  }

  /** Records the refusals that were only counted. */
  flush(): void {
    clearTimeout(this.#timer);
    const repeated = this.#repeated;
    this.#repeated = new Map();
    this.#endsAt = 0;
    for (const { last, count } of repeated.values())
      if (count > 0) this.#options.record({ ...last, call: { ...last.call, repeats: count } });
  }

  #keyOf({ call: { client, actor, action, targets }, codes }: Refusal): string {
    const key = JSON.stringify([client.address, actor?.subject, action, codes[0], ...targets.ids]);
    return this.#repeated.has(key) || this.#repeated.size < mostKinds ? key : '';
  }
}
