import { Worker } from 'node:worker_threads';
import { DomainError } from '@rhizome/errors';
import type { SupergraphFacts } from '../supergraph.js';
import {
  createPlanner,
  type Planner,
  type PlannerLimits,
  type PlanReply,
  type PlanRequest,
  type ValidationReply,
} from './planner.js';

/** A planner as the engine sees it: off the event loop, or on it where that does not matter. */
export interface PlanningService {
  readonly facts: SupergraphFacts;
  readonly overrides: Planner['overrides'];
  validate(query: string, operationName: string | undefined): Promise<ValidationReply | undefined>;
  plan(request: PlanRequest): Promise<PlanReply>;
  /** Frees the planner and its native memory. Calls in flight are rejected. */
  close(): Promise<void>;
}

/** What a planning service is told at its start. */
export interface PlanningOptions extends PlannerLimits {
  readonly supergraphSdl: string;
  /** Milliseconds a call may take; then the thread is ended and a new one started. */
  readonly timeoutMs: number;
}

/** Plans on the caller's thread. */
export function createInlinePlanning(options: PlanningOptions): PlanningService {
  const planner = createPlanner(options.supergraphSdl, options);
  return {
    facts: planner.facts,
    overrides: planner.overrides,
    validate: async (query, operationName) => planner.validate(query, operationName),
    plan: async (request) => planner.plan(request),
    close: async () => {},
  };
}

/** What the thread is sent. */
export type PlanningCall =
  | { readonly id: number; readonly call: 'validate'; readonly query: string; readonly operationName: string | undefined }
  | { readonly id: number; readonly call: 'plan'; readonly request: PlanRequest };

/** What the thread sends. */
export type PlanningMessage =
  | { readonly started: { readonly facts: SupergraphFacts; readonly overrides: Planner['overrides'] } }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failure: string };

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Plans in a thread of its own. Ending the thread is what frees the planner's native memory, which the garbage
 * collector does not see; a plan that takes too long, or a crash, costs one thread and not the event loop.
 * Rejects when the supergraph is not one.
 */
export async function createWorkerPlanning(options: PlanningOptions): Promise<PlanningService> {
  const thread = new PlannerThread(options);
  const { facts, overrides } = await thread.start();
  return {
    facts,
    overrides,
    validate: (query, operationName) =>
      thread.call({ call: 'validate', query, operationName }) as Promise<ValidationReply | undefined>,
    plan: (request) => thread.call({ call: 'plan', request }) as Promise<PlanReply>,
    close: () => thread.close(),
  };
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

class PlannerThread {
  readonly #options: PlanningOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 1;
  #closed = false;

  constructor(options: PlanningOptions) {
    this.#options = options;
  }

  /** Starts the thread and waits until its planner is built. */
  async start(): Promise<{ facts: SupergraphFacts; overrides: Planner['overrides'] }> {
    const { supergraphSdl, documentTokens, expandedFields } = this.#options;
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { supergraphSdl, documentTokens, expandedFields },
    });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: PlanningMessage) => {
        if ('started' in message) {
          worker.unref();
          resolve(message.started);
        } else {
          this.#settle(message);
        }
      });
      worker.on('error', (error) => {
        this.#lost(worker, error);
        reject(error);
      });
      worker.on('exit', () => {
        const error = new Error('the planner thread ended');
        this.#lost(worker, error);
        reject(error);
      });
    });
  }

  call(request: WithoutId<PlanningCall>): Promise<unknown> {
    const worker = this.#worker;
    if (this.#closed) return Promise.reject(new DomainError('SHUTTING_DOWN', 'This graph is no longer served'));
    if (!worker) return this.#restart().then(() => this.call(request));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#timedOut(worker), this.#options.timeoutMs);
      if (this.#pending.size === 0) worker.ref();
      this.#pending.set(id, { resolve, reject, timer });
      worker.postMessage({ id, ...request } satisfies PlanningCall);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #restarting: Promise<unknown> | undefined;

  #restart(): Promise<unknown> {
    this.#restarting ??= this.start().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  #settle(message: Exclude<PlanningMessage, { started: unknown }>): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (this.#pending.size === 0) this.#worker?.unref();
    if ('failure' in message) pending.reject(new Error(message.failure));
    else pending.resolve(message.answer);
  }

  #timedOut(worker: Worker): void {
    const { timeoutMs } = this.#options;
    const error = new DomainError(
      'LIMIT_EXCEEDED',
      `Planning the operation took more than ${timeoutMs} ms; ask for less in one operation`,
    );
    this.#lost(worker, error);
    void worker.terminate();
  }

  /** The thread is gone: whoever waits for it is told, and the next call starts another. */
  #lost(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }
}
