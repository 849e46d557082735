import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { edgeOf, groupKey, isMarkOf, shapeOf } from './transition-group.js';
import type { TransitionGroup, TransitionShape } from './transition-group.types.js';
import type { JobEdge } from '../model/job-state.js';
import { TransitionPace } from './transition-pace.js';
import type { TransitionMark, TransitionStore } from './transitions.repository.js';
import type {
  AppliedTransition,
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from './transition.types.js';

/** Options of {@link GroupingTransitionWriter}. */
export interface TransitionWriterOptions {
  readonly store: TransitionStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Time for which requests are collected while others are being written, in milliseconds; defaults to 2. */
  readonly delayMs?: number;
  /** Maximum number of requests per write; defaults to 500, at most 1,000. */
  readonly maxGroup?: number;
  /** Size from which a group does not wait for a write of the same kind; defaults to 64. */
  readonly worthwhile?: number;
  /** Minimum interval between the starts of two small groups of one kind, in milliseconds; defaults to 20. */
  readonly gatherMs?: number;
  /** Maximum number of concurrent writes; defaults to 4. */
  readonly concurrency?: number;
}

/** Request and the resolver of its answer. */
interface Entry {
  readonly request: TransitionRequest;
  readonly edge: JobEdge;
  readonly shape: TransitionShape;
  /** Bytes of its outputs in the write, about. */
  readonly bytes: number;
  readonly settle: (outcome: TransitionOutcome) => void;
  readonly fail: (error: unknown) => void;
}

interface OpenGroup {
  readonly key: string;
  readonly edge: JobEdge;
  readonly shape: TransitionShape;
  readonly entries: Entry[];
  bytes: number;
}

/** Most bytes of outputs in one write: the store takes 16 MiB, also of a single request with most outputs. */
const mostGroupBytes = 4 * 1024 ** 2;
/** Bytes of an output in addition to its texts. */
const outputBytes = 150;

/**
 * Implementation of {@link TransitionWriter}: collects, groups and writes requests, and answers each caller
 * for its own jobs.
 */
export class GroupingTransitionWriter implements TransitionWriter {
  readonly #options: TransitionWriterOptions;
  readonly #maxGroup: number;
  readonly #concurrency: number;
  readonly #open = new Map<string, OpenGroup>();
  readonly #ready: OpenGroup[] = [];
  readonly #pace: TransitionPace;
  /** Jobs of open groups with later requests for them: a job is never in two groups at once. */
  readonly #busy = new Map<string, Entry[]>();
  readonly #listeners = new Set<(applied: readonly AppliedTransition[]) => void>();
  /** Cancels the scheduled flush; undefined if there is none. */
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
        bytes: bytesOf(request),
      }));
      const outcomes: TransitionOutcome[] = new Array<TransitionOutcome>(requests.length);
      let missing = requests.length;
      checked.forEach((part, position) => {
        const settle = (outcome: TransitionOutcome): void => {
          outcomes[position] = outcome;
          if (--missing === 0) resolve(outcomes);
        };
        this.#enqueue({ ...part, settle, fail: reject });
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

  #enqueue(entry: Entry): void {
    const { jobId } = entry.request;
    const waiting = this.#busy.get(jobId);
    if (waiting) {
      waiting.push(entry);
      return;
    }
    this.#busy.set(jobId, []);
    const key = groupKey(entry.request, entry.shape);
    let group = this.#open.get(key);
    if (group && group.bytes + entry.bytes > mostGroupBytes) {
      this.#endGroup(group);
      group = undefined;
    }
    if (!group) {
      group = { key, edge: entry.edge, shape: entry.shape, entries: [], bytes: 0 };
      this.#open.set(key, group);
    }
    group.entries.push(entry);
    group.bytes += entry.bytes;
    if (group.entries.length >= this.#maxGroup) this.#endGroup(group);
    else this.#cancel ??= this.#flushSoon();
  }

  /** Without a write in progress, a flush follows at the end of this event loop turn. */
  #flushSoon(): () => void {
    if (this.#writing === 0) {
      const turn = setImmediate(() => this.#flush());
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(() => this.#flush(), this.#options.delayMs ?? 2);
    return () => clearTimeout(timer);
  }

  /** Queues all open groups for writing. */
  #flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const group of [...this.#open.values()]) if (this.#mayGo(group)) this.#endGroup(group);
  }

  /** If no write can start, groups collect requests until one ends. */
  #mayGo({ key, entries }: OpenGroup): boolean {
    return this.#closed || (this.#writing < this.#concurrency && this.#pace.mayBegin(key, entries.length));
  }

  #endGroup(group: OpenGroup): void {
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

  /** Continues with the next request of each job. */
  #release(group: OpenGroup): void {
    for (const { request } of group.entries) {
      const waiting = this.#busy.get(request.jobId) ?? [];
      this.#busy.delete(request.jobId);
      const [next, ...later] = waiting;
      if (!next) continue;
      this.#enqueue(next);
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
        // It is unknown whether the write succeeded. Its changes carry its time, so that a repetition applies
        // nothing twice.
        this.#options.log.warn(
          { from: edge.from, to: edge.to, jobs: requests.length },
          'transition group repeated',
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
        this.#options.log.error({ err: error }, 'listener of applied transitions failed');
      }
    }
  }
}

function bytesOf({ change }: TransitionRequest): number {
  const kept = change?.attemptEnd?.keptOutputs ?? [];
  let bytes = 0;
  for (const { name, location } of [...(change?.outputs ?? []), ...kept])
    bytes += Buffer.byteLength(name) + Buffer.byteLength(location) + outputBytes;
  return bytes;
}

function appliedTransition(
  { jobId, from, to, fence, change }: TransitionRequest,
  { at, shape }: TransitionGroup,
): AppliedTransition {
  const { grant, adoption, notBefore, priority } = change ?? {};
  const assigned = grant ?? adoption;
  const after = assigned?.fence ?? (fence === undefined ? undefined : fence + (shape.raisesFence ? 1 : 0));
  return {
    jobId,
    last: {
      from,
      to,
      at,
      ...(after === undefined ? {} : { fence: after }),
      ...(assigned ? { workerId: assigned.workerId } : {}),
      ...(notBefore ? { notBefore } : {}),
      ...(priority === undefined ? {} : { priority }),
    },
  };
}

function currentOf({ state, fence, revision, workerId }: TransitionMark) {
  return { state, fence, revision, ...(workerId === undefined ? {} : { workerId }) };
}
