import type { SubgraphResult } from '../transports/transport.js';
import { isDomainError } from '@rhizome/errors';
import { variablesOf } from './call.js';
import { errorsText, fromTransport } from './errors.js';
import { type MadePlan, type Operation, withExtension } from './operation.js';
import { RunningCalls, RunState, type RunContext } from './run-state.js';
import { Trace, type TraceRequest } from './trace.js';
import type { ExecutionText } from './types.js';

/** What an event stream is opened with. */
export interface StreamOptions {
  readonly operation: Operation;
  readonly plan: MadePlan;
  /** Everything of the request but its calls: those are ended with the stream. */
  readonly context: Omit<RunContext, 'calls'>;
  readonly signal: AbortSignal | undefined;
  /** Called once, when the stream has ended whichever way. */
  readonly onEnd: (stream: EventStream) => void;
  /** Reads the cursor of an event, on resumable fields. */
  readonly cursorOf: ((data: Readonly<Record<string, unknown>>) => string | undefined) | undefined;
  /** Each event shows its plan with times. */
  readonly traced?: TraceRequest | undefined;
}

type Next = IteratorResult<ExecutionText, undefined>;
const ended: Next = { done: true, value: undefined };

/**
 * The events of one subscription. Each has a state of its own, so that what fails in one leaves the next alone, and
 * is answered to its end before the next is taken from upstream. `return` ends the upstream at once, also while a
 * `next` waits: a generator could not.
 */
export class EventStream implements AsyncIterableIterator<ExecutionText> {
  readonly #options: StreamOptions;
  readonly #controller = new AbortController();
  readonly #context: RunContext;
  readonly #upstream: AsyncIterator<SubgraphResult>;
  readonly #waiting = new Set<(next: Next) => void>();
  readonly #onAbort = (): void => {
    void this.return();
  };
  #queue: Promise<unknown> = Promise.resolve();
  #isEnded = false;

  constructor(options: StreamOptions) {
    const { plan, signal } = options;
    const source = plan.source;
    if (!source) throw new Error('the plan of a subscription has no source');
    this.#options = options;
    this.#context = { ...options.context, calls: new RunningCalls(this.#controller.signal) };
    const { call } = source;
    const upstream = call.transport.subscribe({
      operation: call.operation,
      ...variablesOf(call, this.#context),
      principal: this.#context.principal,
      scope: this.#context.scope,
      requestId: this.#context.requestId,
      headers: this.#context.headers,
      signal: this.#controller.signal,
    });
    this.#upstream = upstream[Symbol.asyncIterator]();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Next> {
    if (this.#isEnded) return Promise.resolve(ended);
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      this.#queue = this.#queue.then(() => this.#advance(resolve));
    });
  }

  return(): Promise<Next> {
    this.#end();
    return Promise.resolve(ended);
  }

  async #advance(resolve: (next: Next) => void): Promise<void> {
    if (this.#isEnded) return;
    let next: Next;
    try {
      const result = await this.#upstream.next();
      next = result.done ? ended : { done: false, value: await this.#answer(result.value) };
    } catch (error) {
      if (this.#isEnded) return;
      next = { done: false, value: this.#lost(error) };
      this.#waiting.delete(resolve);
      resolve(next);
      this.#end();
      return;
    }
    if (this.#isEnded) return;
    this.#waiting.delete(resolve);
    resolve(next);
    if (next.done) this.#end();
  }

  async #answer(result: SubgraphResult): Promise<ExecutionText> {
    const { operation, plan, cursorOf, traced } = this.#options;
    const trace = traced && new Trace(traced);
    const state = new RunState(trace ? { ...this.#context, trace } : this.#context);
    plan.source?.deliver(state, result);
    const cursor = cursorOf?.(state.data);
    await plan.run(state);
    const answer = operation.finish(state, plan);
    const text = trace ? withExtension(answer, 'plan', trace.text(plan)) : answer;
    return cursor === undefined ? text : { ...text, cursor };
  }

  #lost(error: unknown): ExecutionText {
    const subgraph = this.#options.plan.source?.call.operation.subgraph ?? '';
    const shaped = fromTransport(error, subgraph, this.#context);
    return {
      text: `{"errors":${errorsText([shaped], this.#context.requestId)}}`,
      outcome: 'executed',
      kind: 'subscription',
      codes: [shaped.code],
      lost: !isDomainError(error) || error.retry !== 'never',
    };
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#controller.abort();
    void Promise.resolve(this.#upstream.return?.()).catch(() => {});
    for (const resolve of this.#waiting) resolve(ended);
    this.#waiting.clear();
    this.#options.onEnd(this);
  }
}
