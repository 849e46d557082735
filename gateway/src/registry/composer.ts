/** Composes and checks schemas on a thread of its own: they take long enough to be felt by those whose requests run meanwhile. */
import { Worker } from 'node:worker_threads';
import { DomainError } from '@rhizome/errors';
import type { CheckReport, Composition, GraphSubgraph, SchemaChange } from '@rhizome/schema';

/** What the thread is asked. */
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

/** What the thread answers. */
export type ComposerAnswer =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly failure: string };

/** Subgraphs put together as they are, and what that changes for clients. */
export interface Composed {
  readonly result: Composition;
  readonly changes: readonly SchemaChange[];
}

type Call<T extends ComposerCall['what']> = Omit<Extract<ComposerCall, { what: T }>, 'what'>;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Milliseconds that a call may take; those that wait for an earlier one among them. */
const longestMs = 50_000;
/** Milliseconds that an idle thread is kept: its memory is not small. */
const idleMs = 10_000;

/** See the head of this file. */
export class Composer {
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #id = 0;

  /** Checks a subgraph among the others. */
  check(call: Call<'check'>): Promise<CheckReport> {
    return this.#ask({ what: 'check', ...call }) as Promise<CheckReport>;
  }

  /** Composes subgraphs, without the project's own rules. */
  compose(call: Call<'compose'>): Promise<Composed> {
    return this.#ask({ what: 'compose', ...call }) as Promise<Composed>;
  }

  /** What clients see change from one supergraph to another. */
  compare(before: string, after: string): Promise<readonly SchemaChange[]> {
    return this.#ask({ what: 'compare', before, after }) as Promise<readonly SchemaChange[]>;
  }

  /** Ends the thread; calls in flight are rejected. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#fail(new Error('the composer was closed'));
  }

  #ask(call: ComposerCall): Promise<unknown> {
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
    worker.on('message', (answer: ComposerAnswer) => this.#take(answer));
    worker.on('error', gone);
    worker.on('exit', (code) => gone(new Error(`the composer's thread ended with ${code}`)));
    return worker;
  }

  /** Whatever keeps a thread so long would keep it longer: it is ended with all that waits for it, and the next call gets a new one. */
  #giveUp(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    void worker.terminate();
    const text = `The schemas could not be composed within ${longestMs / 1000} s`;
    this.#fail(new DomainError('REQUEST_TIMEOUT', text, { expected: `${longestMs} ms` }));
  }

  #take(answer: ComposerAnswer): void {
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
