import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import {
  edgeOf,
  groupKey,
  isMarkOf,
  shapeOf,
  type TransitionGroup,
  type TransitionShape,
} from './transition-group.js';
import type { JobEdge } from '../model/job-state.js';
import { TransitionPace } from './transition-pace.js';
import type { TransitionMark, TransitionStore } from './transitions.repository.js';
import type {
  AppliedTransition,
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from './transition.types.js';

/** How a transition writer is made. */
export interface TransitionWriterOptions {
  readonly store: TransitionStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long requests are collected while others are being written, in milliseconds; 2 unless given. */
  readonly delayMs?: number;
  /** Requests in one write at most; 500 unless given, 1,000 at most. */
  readonly maxGroup?: number;
  /** A group of so many does not wait for another of its kind that is being written; 64 unless given. */
  readonly worthwhile?: number;
  /** Between the beginnings of two small groups of one kind at least, in milliseconds; 20 unless given. */
  readonly gatherMs?: number;
  /** Writes under way at once at most; 4 unless given. */
  readonly concurrency?: number;
}

/** One request on its way to its caller's answer. */
interface Entry {
  readonly request: TransitionRequest;
  readonly edge: JobEdge;
  readonly shape: TransitionShape;
  readonly settle: (outcome: TransitionOutcome) => void;
  readonly fail: (error: unknown) => void;
}

interface OpenGroup {
  readonly key: string;
  readonly edge: JobEdge;
  readonly shape: TransitionShape;
  readonly entries: Entry[];
}

/** The writer of {@link TransitionWriter}: collects, groups, writes, and answers each caller for its own jobs. */
export class GroupingTransitionWriter implements TransitionWriter {
  readonly #options: TransitionWriterOptions;
  readonly #maxGroup: number;
  readonly #concurrency: number;
  readonly #open = new Map<string, OpenGroup>();
  readonly #ready: OpenGroup[] = [];
  readonly #pace: TransitionPace;
  /** Jobs in a group, each with the requests for it that came later: a job is never in two groups at once. */
  readonly #busy = new Map<string, Entry[]>();
  readonly #listeners = new Set<(applied: readonly AppliedTransition[]) => void>();
  /** Takes back the flush that is to come; undefined while none is. */
  #cancel: (() => void) | undefined;
  #writing = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(options: TransitionWriterOptions) {
    this.#options = options;
    this.#maxGroup = Math.min(options.maxGroup ?? 500, 1000);
    this.#concurrency = options.concurrency ?? 4;
    const { clock, gatherMs, worthwhile } = options;
    this.#pace = new TransitionPace({ clock, gatherMs, worthwhile, onFree: () => this.#flush() });
  }

  apply(requests: readonly TransitionRequest[]): Promise<readonly TransitionOutcome[]> {
    if (this.#closed) return Promise.reject(new DomainError('SHUTTING_DOWN', 'The service is shutting down'));
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const checked = requests.map((request) => ({
        request,
        edge: edgeOf(request),
        shape: shapeOf(request),
      }));
      const outcomes: TransitionOutcome[] = new Array<TransitionOutcome>(requests.length);
      let missing = requests.length;
      checked.forEach((part, position) => {
        const settle = (outcome: TransitionOutcome): void => {
          outcomes[position] = outcome;
          if (--missing === 0) resolve(outcomes);
        };
        this.#admit({ ...part, settle, fail: reject });
      });
    });
  }

  onApplied(listener: (applied: readonly AppliedTransition[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#flush();
    if (this.#busy.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #admit(entry: Entry): void {
    const { jobId } = entry.request;
    const waiting = this.#busy.get(jobId);
    if (waiting) {
      waiting.push(entry);
      return;
    }
    this.#busy.set(jobId, []);
    const key = groupKey(entry.request, entry.shape);
    let group = this.#open.get(key);
    if (!group) {
      group = { key, edge: entry.edge, shape: entry.shape, entries: [] };
      this.#open.set(key, group);
    }
    group.entries.push(entry);
    if (group.entries.length >= this.#maxGroup) this.#hand(group);
    else this.#cancel ??= this.#flushSoon();
  }

  /** Where nothing is being written, nobody else is there to wait for: what comes in this turn of the event loop goes. */
  #flushSoon(): () => void {
    if (this.#writing === 0) {
      const turn = setImmediate(() => this.#flush());
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(() => this.#flush(), this.#options.delayMs ?? 2);
    return () => clearTimeout(timer);
  }

  /** Hands all open groups over to be written. */
  #flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const group of [...this.#open.values()]) if (this.#mayGo(group)) this.#hand(group);
  }

  /** Where no write can begin, groups go on growing until one ends. */
  #mayGo({ key, entries }: OpenGroup): boolean {
    return this.#closed || (this.#writing < this.#concurrency && this.#pace.mayBegin(key, entries.length));
  }

  #hand(group: OpenGroup): void {
    this.#open.delete(group.key);
    this.#ready.push(group);
    this.#pump();
  }

  #pump(): void {
    while (this.#writing < this.#concurrency) {
      const group = this.#ready.shift();
      if (!group) break;
      this.#writing += 1;
      const ended = this.#pace.begin(group.key);
      void this.#write(group).finally(() => {
        this.#writing -= 1;
        ended();
        this.#release(group);
        this.#pump();
        this.#flush();
      });
    }
  }

  /** Lets the next request of each job go on. */
  #release(group: OpenGroup): void {
    for (const { request } of group.entries) {
      const waiting = this.#busy.get(request.jobId) ?? [];
      this.#busy.delete(request.jobId);
      const [next, ...later] = waiting;
      if (!next) continue;
      this.#admit(next);
      this.#busy.get(request.jobId)?.push(...later);
    }
    if (this.#busy.size === 0) this.#idle.splice(0).forEach((resolve) => resolve());
  }

  async #write({ edge, shape, entries }: OpenGroup): Promise<void> {
    const requests = entries.map(({ request }) => request);
    const group: TransitionGroup = { edge, shape, requests, at: this.#options.clock.now() };
    try {
      let modified = await this.#options.store.write(group);
      let found =
        modified === requests.length
          ? undefined
          : await this.#options.store.read(requests.map((r) => r.jobId));
      if (modified === null && found) {
        // Nobody knows whether the write happened. What it did bears its time, so that doing it again does nothing twice.
        this.#options.log.warn(
          { from: edge.from, to: edge.to, jobs: requests.length },
          'a group of transitions is written again',
        );
        modified = await this.#options.store.write(group);
        found = await this.#options.store.read(requests.map((r) => r.jobId));
        if (modified === null)
          throw new DomainError('SERVICE_UNAVAILABLE', 'The database cannot be reached', {
            service: 'database',
          });
      }
      this.#answer(group, entries, found);
    } catch (error) {
      entries.forEach(({ fail }) => fail(error));
    }
  }

  #answer(
    group: TransitionGroup,
    entries: readonly Entry[],
    found: ReadonlyMap<string, TransitionMark> | undefined,
  ): void {
    const applied: AppliedTransition[] = [];
    const outcomes = entries.map(({ request }) => {
      const mark = found?.get(request.jobId);
      if (!found || (mark && isMarkOf(request, group.at, mark))) {
        applied.push(appliedTransition(request, group));
        return { applied: true, jobId: request.jobId, at: group.at } as const;
      }
      return { applied: false, jobId: request.jobId, current: mark ? currentOf(mark) : null } as const;
    });
    if (applied.length > 0) this.#notify(applied);
    entries.forEach(({ settle }, position) => {
      const outcome = outcomes[position];
      if (outcome) settle(outcome);
    });
  }

  #notify(applied: readonly AppliedTransition[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(applied);
      } catch (error) {
        this.#options.log.error({ err: error }, 'a listener of applied transitions failed');
      }
    }
  }
}

function appliedTransition(
  { jobId, from, to, fence, change }: TransitionRequest,
  { at, shape }: TransitionGroup,
): AppliedTransition {
  const { grant, notBefore, priority } = change ?? {};
  const after = grant?.fence ?? (fence === undefined ? undefined : fence + (shape.raisesFence ? 1 : 0));
  return {
    jobId,
    last: {
      from,
      to,
      at,
      ...(after === undefined ? {} : { fence: after }),
      ...(grant ? { workerId: grant.workerId } : {}),
      ...(notBefore ? { notBefore } : {}),
      ...(priority === undefined ? {} : { priority }),
    },
  };
}

function currentOf({ state, fence, revision, workerId }: TransitionMark) {
  return { state, fence, revision, ...(workerId === undefined ? {} : { workerId }) };
}
