/**
 * Composes and checks schemas on a separate thread: they take long enough to delay concurrent requests
 * noticeably.
 */
import { Worker } from 'node:worker_threads';
import { DomainError } from '@rhizome/errors';
import type { CheckReport, Composition, Finding, GraphSubgraph, SchemaChange } from '@rhizome/schema';

/** Calls to the thread. */
export type ComposerCall =
  | {
      readonly what: 'check';
      readonly candidate: GraphSubgraph;
      readonly others: readonly GraphSubgraph[];
      readonly liveSupergraphSdl: string | null;
    }
  | {
      readonly what: 'compose';
      readonly subgraphs: readonly GraphSubgraph[];
      readonly liveSupergraphSdl: string | null;
    }
  | { readonly what: 'compare'; readonly before: string; readonly after: string };

/** Responses of the thread. */
export type ComposerAnswer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly failure: string };

/** Composition of subgraphs without further rules, and the changes that clients see. */
export interface Composed {
  readonly result: Composition;
  readonly changes: readonly SchemaChange[];
  /** Operations of agents that were valid in the live schema, and are not in this one. */
  readonly brokenOperations: readonly Finding[];
}

type Call<T extends ComposerCall['what']> = Omit<Extract<ComposerCall, { what: T }>, 'what'>;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Time limit of a call in milliseconds, including the wait for earlier calls. */
const longestMs = 50_000;
/** Time that an idle thread is kept, in milliseconds: it occupies considerable memory. */
const idleMs = 10_000;

/** Composes and checks schemas on its thread. */
export class Composer {
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #id = 0;

  /** Checks a subgraph together with the others. */
  check(call: Call<'check'>): Promise<CheckReport> {
    return this.#call({ what: 'check', ...call }) as Promise<CheckReport>;
  }

  /** Composes subgraphs, without the project's own rules. */
  compose(call: Call<'compose'>): Promise<Composed> {
    return this.#call({ what: 'compose', ...call }) as Promise<Composed>;
  }

  /** Changes that clients see from one supergraph to another. */
  compare(before: string, after: string): Promise<readonly SchemaChange[]> {
    return this.#call({ what: 'compare', before, after }) as Promise<readonly SchemaChange[]>;
  }

  /** Ends the thread; calls in flight are rejected. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(new Error('Composer closed'));
  }

  #call(call: ComposerCall): Promise<unknown> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#id;
    const answer = new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ id, call });
    });
    const timer = setTimeout(() => this.#giveUp(worker), longestMs);
    return answer.finally(() => clearTimeout(timer));
  }

  #start(): Worker {
    const worker = new Worker(new URL('./composer-thread.js', import.meta.url), { execArgv: [] });
    worker.unref();
    const gone = (error: Error): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#fail(error);
    };
    worker.on('message', (answer: ComposerAnswer) => this.#settle(answer));
    worker.on('error', gone);
    worker.on('exit', (code) => gone(new Error(`Composer thread exited with ${code}`)));
    return worker;
  }

  /** Ends a thread that is stuck together with all calls that wait for it; the next call gets a new one. */
  #giveUp(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    void worker.terminate();
    const text = `The schemas could not be composed within ${longestMs / 1000} s`;
    this.#fail(new DomainError('REQUEST_TIMEOUT', text, { expected: `${longestMs} ms` }));
  }

  #settle(answer: ComposerAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if ('failure' in answer) pending?.reject(new Error(answer.failure));
    else pending?.resolve(answer.value);
    if (this.#pending.size > 0) return;
    this.#idle = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      void worker?.terminate();
    }, idleMs);
    this.#idle.unref();
  }

  #fail(error: Error): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(error);
  }
}
