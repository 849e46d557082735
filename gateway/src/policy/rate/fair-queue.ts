import { DomainError } from '@rhizome/errors';
import type { WorkClass } from './work-class.js';

/** Bounds of {@link FairQueue}. */
export interface FairQueueLimits {
  /** Queries, mutations and openings of streams that run at once, those of pilots aside. */
  readonly runningOperations: number;
  /** Operations of one subject that wait, and their bytes. */
  readonly waitingPerSubject: number;
  readonly waitingBytesPerSubject: number;
}

/** One operation that wants to run. */
export interface Work {
  /** Key of the caller; the operations of one caller are served in order. */
  readonly subject: string;
  readonly workClass: WorkClass;
  readonly cost: number;
  /** Bytes that it holds while it waits. */
  readonly bytes: number;
}

/** Ends the turn of an operation. May be called twice. */
export type Release = () => void;

interface Entry extends Work {
  readonly arrivedMs: number;
  admit(release: Release): void;
  refuse(error: DomainError): void;
}

/** A subject with running or waiting operations. */
interface Line {
  readonly waiting: Entry[];
  bytes: number;
  running: number;
  /** Virtual time at which its next operation starts: later for a caller that has used more. */
  startsAt: number;
}

/** Delay in milliseconds from which operations of a class are refused; pilots' never are. */
const patienceMs: Readonly<Record<WorkClass, number>> = {
  pilot: Infinity,
  stream: 10_000,
  mutation: 5_000,
  read: 2_000,
  background: 500,
};

/** Share of the capacity by class: virtual time passes more slowly for the more important ones. */
const weights: Readonly<Record<WorkClass, number>> = {
  pilot: 1,
  stream: 8,
  mutation: 4,
  read: 2,
  background: 1,
};

/** Cost that counts as one more operation. */
const costOfOne = 200;
/** Part of the capacity that one subject can have, however long its operations take. */
const largestPart = 0.75;
/** Delay of the event loop at which fewer operations run at once, in milliseconds. */
const slowLoopMs = 100;
/** Operations that run at once, however slow the event loop is. */
const fewest = 16;

/** Lines of subjects that are idle, kept for what they have used. */
const mostIdleLines = 1000;

/** Waiting operations that are refused at once; each costs an answer. */
const mostRefusedAtOnce = 16;

const nothing: Release = () => undefined;

/** Options of {@link FairQueue}. */
export interface FairQueueOptions {
  readonly limits: FairQueueLimits;
  /** Delay of the event loop in milliseconds. */
  readonly loopDelayMs: () => number;
  readonly nowMs?: () => number;
}

/**
 * Decides which operations run. While there is capacity all do. Otherwise subjects take turns by what they
 * have used (start-time fair queueing, weighted by cost), and those whose operations wait too long are
 * refused, the least important class first.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #nowMs: () => number;
  readonly #lines = new Map<string, Line>();
  #running = 0;
  #waiting = 0;
  #virtualTime = 0;
  #limit: number;
  #adaptedMs = 0;
  #isContinuing = false;

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#limit = options.limits.runningOperations;
  }

  /** Operations that run, those of pilots aside, and that wait. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting };
  }

  /**
   * Admits an operation, now or in turn.
   * @throws DomainError LIMIT_EXCEEDED if too many of its subject wait, SERVICE_UNAVAILABLE if they wait too
   *   long; both with `retryAfterSeconds`
   */
  enter(work: Work): Release | Promise<Release> {
    if (work.workClass === 'pilot') return nothing;
    this.#adapt();
    const line = this.#lineOf(work.subject);
    if (this.#waiting === 0 && this.#running < this.#limit && line.running < this.#mostOfOne)
      return this.#start(line, work);
    const error = this.#refusal(line, work);
    if (error) {
      this.#forget(work.subject, line);
      throw error;
    }
    return new Promise((admit, refuse) => {
      line.waiting.push({ ...work, arrivedMs: this.#nowMs(), admit, refuse });
      line.bytes += work.bytes;
      this.#waiting++;
      this.#next();
    });
  }

  get #mostOfOne(): number {
    return Math.max(1, Math.floor(this.#limit * largestPart));
  }

  #lineOf(subject: string): Line {
    let line = this.#lines.get(subject);
    if (!line) {
      line = { waiting: [], bytes: 0, running: 0, startsAt: this.#virtualTime };
      this.#lines.set(subject, line);
    }
    return line;
  }

  #start(line: Line, { subject, cost, workClass }: Work): Release {
    const startsAt = Math.max(line.startsAt, this.#virtualTime);
    this.#virtualTime = startsAt;
    line.startsAt = startsAt + (1 + cost / costOfOne) / weights[workClass];
    line.running++;
    this.#running++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      line.running--;
      this.#running--;
      this.#forget(subject, line);
      this.#next();
    };
  }

  /** A line that is behind the virtual time keeps no memory of its use. */
  #forget(subject: string, line: Line): void {
    if (line.running > 0 || line.waiting.length > 0) return;
    if (line.startsAt <= this.#virtualTime || this.#waiting === 0) this.#lines.delete(subject);
  }

  #next(): void {
    let refused = 0;
    while (this.#waiting > 0 && this.#running < this.#limit) {
      if (refused === mostRefusedAtOnce) return this.#continueSoon();
      const line = this.#nextLine();
      const entry = line?.waiting.shift();
      if (!line || !entry) return;
      line.bytes -= entry.bytes;
      this.#waiting--;
      // A client that has waited this long has given up, or will: nobody needs the answer.
      if (this.#nowMs() - entry.arrivedMs <= 2 * patienceMs[entry.workClass]) {
        entry.admit(this.#start(line, entry));
        continue;
      }
      entry.refuse(overloaded(entry));
      refused++;
      this.#forget(entry.subject, line);
    }
  }

  /** Continues in a later turn of the event loop, so that hundreds of refusals do not delay others. */
  #continueSoon(): void {
    if (this.#isContinuing) return;
    this.#isContinuing = true;
    setImmediate(() => {
      this.#isContinuing = false;
      this.#next();
    });
  }

  #nextLine(): Line | undefined {
    const most = this.#mostOfOne;
    let next: Line | undefined;
    for (const line of this.#lines.values()) {
      if (line.waiting.length === 0 || line.running >= most) continue;
      if (!next || line.startsAt < next.startsAt) next = line;
    }
    return next;
  }

  #refusal(line: Line, work: Work): DomainError | undefined {
    const { waitingPerSubject, waitingBytesPerSubject } = this.#options.limits;
    const { waiting, bytes } = line;
    if (waiting.length >= waitingPerSubject)
      return tooMany('waiting operations', waiting.length, waitingPerSubject);
    if (waiting.length > 0 && bytes + work.bytes > waitingBytesPerSubject)
      return tooMany('bytes of waiting operations', bytes, waitingBytesPerSubject);
    const waitedMs = this.#nowMs() - (waiting[0]?.arrivedMs ?? this.#nowMs());
    const delayMs = Math.max(waitedMs, this.#options.loopDelayMs());
    return delayMs > patienceMs[work.workClass] ? overloaded(work) : undefined;
  }

  #dropIdleLines(): void {
    for (const [subject, { running }] of this.#lines) if (running === 0) this.#lines.delete(subject);
  }

  /** While the event loop is slow fewer operations run at once, so that they do not delay pilots. */
  #adapt(): void {
    const now = this.#nowMs();
    if (now - this.#adaptedMs < 100) return;
    this.#adaptedMs = now;
    const { runningOperations } = this.#options.limits;
    if (this.#waiting === 0 && this.#lines.size > mostIdleLines) this.#dropIdleLines();
    if (this.#options.loopDelayMs() > slowLoopMs)
      this.#limit = Math.max(fewest, Math.floor(this.#limit * 0.7));
    else this.#limit = Math.min(runningOperations, this.#limit + fewest);
  }
}

function tooMany(field: string, value: number, limit: number): DomainError {
  const expected = `at most ${limit}`;
  const text = `There are ${value} ${field} of this caller; the limit is ${limit}; retry after 1 s`;
  return new DomainError('LIMIT_EXCEEDED', text, { field, value, expected, retryAfterSeconds: 1 });
}

function overloaded({ workClass }: Work): DomainError {
  const retryAfterSeconds = Math.ceil(patienceMs[workClass] / 1000) + 1;
  return new DomainError(
    'SERVICE_UNAVAILABLE',
    `The gateway is overloaded; retry after ${retryAfterSeconds} s`,
    { retryAfterSeconds },
  );
}
