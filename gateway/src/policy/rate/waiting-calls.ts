import { DomainError } from '@rhizome/errors';

/** Bounds of {@link WaitingCalls}. */
export interface WaitingCallLimits {
  /** Calls that wait for work at once, those of pilots aside, and those of one subject and of one attempt. */
  readonly waitingCalls: number;
  readonly waitingCallsPerSubject: number;
  readonly waitingCallsPerAttempt: number;
}

/** Caller of a call that waits. */
export interface WaitingCaller {
  readonly subject: string;
  /** Id of the job whose attempt calls; undefined for another caller. */
  readonly attempt?: string | undefined;
}

/** Seconds after which a place may be free. */
const retryAfterSeconds = 5;

/** Counts calls that wait for work: they use memory and a connection, but no time until there is some. */
export class WaitingCalls {
  readonly #limits: WaitingCallLimits;
  readonly #bySubject = new Map<string, number>();
  /** By subject and attempt. */
  readonly #byAttempt = new Map<string, number>();
  #open = 0;

  constructor(limits: WaitingCallLimits) {
    this.#limits = limits;
  }

  /** Number of open calls. */
  get open(): number {
    return this.#open;
  }

  /** Admits a call; the result ends it, and may be called twice. @throws DomainError LIMIT_EXCEEDED */
  enter({ subject, attempt }: WaitingCaller): () => void {
    const { waitingCalls, waitingCallsPerSubject, waitingCallsPerAttempt } = this.#limits;
    const ofAttempt = attempt === undefined ? undefined : JSON.stringify([subject, attempt]);
    if (this.#open >= waitingCalls) throw tooMany('waitingCalls', this.#open, waitingCalls);
    const own = this.#bySubject.get(subject) ?? 0;
    if (own >= waitingCallsPerSubject) throw tooMany('waitingCallsPerSubject', own, waitingCallsPerSubject);
    const held = ofAttempt === undefined ? 0 : (this.#byAttempt.get(ofAttempt) ?? 0);
    if (held >= waitingCallsPerAttempt) throw tooMany('waitingCallsPerAttempt', held, waitingCallsPerAttempt);
    const add = (change: 1 | -1): void => {
      this.#open += change;
      addTo(this.#bySubject, subject, change);
      if (ofAttempt !== undefined) addTo(this.#byAttempt, ofAttempt, change);
    };
    add(1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      add(-1);
    };
  }
}

function addTo(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function tooMany(name: keyof WaitingCallLimits, value: number, limit: number): DomainError {
  const whose = {
    waitingCalls: 'of this gateway',
    waitingCallsPerSubject: 'of this caller',
    waitingCallsPerAttempt: 'of this attempt',
  }[name];
  const text = `limits.${name}: ${value} calls ${whose} wait for work; the limit is ${limit}; retry after ${retryAfterSeconds} s`;
  const field = `limits.${name}`;
  return new DomainError('LIMIT_EXCEEDED', text, {
    field,
    value,
    expected: `at most ${limit}`,
    retryAfterSeconds,
  });
}
