import { endOf } from '../transport/cancellation.js';
import { type DirectSource, type Following, isDirect } from '@rhizome/subgraph';
import type { SubgraphResult } from '../transport/transport.js';
import { isDomainError } from '@rhizome/errors';
import { variablesOf } from '../fetch/call.js';
import { errorsText, fromTransport } from '../result/errors.js';
import { type MadePlan, type Operation, withExtension } from '../operation/operation.js';
import { EventBatch, principalOfCall, RunningCalls, RunState, type RunContext } from '../fetch/run-state.js';
import { Trace, type TraceRequest } from './trace.js';
import type { ExecutionText } from './types.js';

/** Parameters of an event stream. */
export interface StreamOptions {
  readonly operation: Operation;
  readonly plan: MadePlan;
  /** The request without its calls: those end with the stream. */
  readonly context: Omit<RunContext, 'calls'>;
  readonly signal: AbortSignal | undefined;
  /** Called once when the stream has ended, for any reason. */
  readonly onEnd: (stream: EventStream) => void;
  /** Reads the cursor of an event, on resumable fields. */
  readonly cursorOf: ((data: Readonly<Record<string, unknown>>) => string | undefined) | undefined;
  /** True if each event shows its plan with times. */
  readonly traced?: TraceRequest | undefined;
}

type Next = IteratorResult<ExecutionText, undefined>;
const ended: Next = { done: true, value: undefined };

/** Maximum number of events that are answered together. */
const mostTogether = 64;

/** Events that arrived together, and the end or error that followed the last of them. */
interface Gathered {
  readonly results: SubgraphResult[];
  end?: 'over' | { readonly error: unknown };
}

/**
 * The events of one subscription. Each has its own state, so a failure in one does not affect the next.
 * Events that arrive together are answered together, with one fetch of entities for all of them. Later ones
 * wait upstream meanwhile. `return` ends the upstream at once, even while a `next` is pending; a generator
 * cannot do that.
 */
export class EventStream implements AsyncIterableIterator<ExecutionText>, DirectSource<ExecutionText> {
  readonly #options: StreamOptions;
  readonly #controller = new AbortController();
  readonly #context: RunContext;
  readonly #upstream: AsyncIterator<SubgraphResult>;
  /** The upstream, if its events are answered without fetches and can be read directly. */
  readonly #direct: DirectSource<SubgraphResult | Promise<SubgraphResult>> | undefined;
  #listener: (() => void) | undefined;
  readonly #waiting: ((next: Next) => void)[] = [];
  readonly #ready: ExecutionText[] = [];
  readonly #onAbort = (): void => {
    void this.return();
  };
  /** Pending read of the upstream. */
  #pending: Promise<IteratorResult<SubgraphResult, unknown>> | undefined;
  #isWorking = false;
  #isOver = false;
  #isEnded = false;

  constructor(options: StreamOptions) {
    const { plan, signal } = options;
    const source = plan.source;
    if (!source) throw new Error('the plan of a subscription has no source');
    this.#options = options;
    this.#context = {
      ...options.context,
      calls: new RunningCalls(endOf({ signal: this.#controller.signal })),
    };
    const { call } = source;
    const upstream = call.transport.subscribe({
      operation: call.operation,
      ...variablesOf(call, this.#context),
      principal: principalOfCall(this.#context, call.operation.subgraph),
      scope: this.#context.scope,
      requestId: this.#context.requestId,
      headers: this.#context.headers,
      signal: this.#controller.signal,
      sharesAnswers: this.#isPlain(),
    });
    this.#upstream = upstream[Symbol.asyncIterator]();
    if (this.#isPlain() && isDirect(this.#upstream)) this.#direct = this.#upstream;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Next> {
    const value = this.#ready.shift();
    if (value) return Promise.resolve({ done: false, value });
    if (this.#isOver) this.#end();
    if (this.#isEnded) return Promise.resolve(ended);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#isWorking) void this.#work();
    });
  }

  tryNext(): ExecutionText | undefined {
    const ready = this.#ready.shift();
    if (ready || !this.#direct || this.#isWorking || this.#pending || this.#isOver || this.#isEnded)
      return ready;
    const result = this.#direct.tryNext();
    if (!result) return undefined;
    if (!('then' in result)) return this.#answer(result);
    void this.#await(result);
    return undefined;
  }

  follow(listener: () => void): Following {
    if (this.#ready.length > 0) return 'take';
    if (this.#isEnded || this.#isOver || this.#pending || !this.#direct) return 'ask';
    this.#listener = listener;
    return this.#isWorking ? 'wait' : this.#direct.follow(listener);
  }

  return(): Promise<Next> {
    this.#end();
    return Promise.resolve(ended);
  }

  /** True if an event of the upstream is answered without further fetches and is only read. */
  #isPlain(): boolean {
    const { plan, traced } = this.#options;
    return plan.isWhole && traced === undefined;
  }

  /** An asynchronous answer. Listeners and pending calls get it first. Never rejects. */
  async #await(result: Promise<SubgraphResult>): Promise<void> {
    this.#isWorking = true;
    this.#give(this.#answer(await result));
    this.#isWorking = false;
    if (this.#waiting.length > 0) void this.#work();
    else this.#listener?.();
  }

  /**
   * Answer to one event that needs no fetches. One result may be given to several streams: it is serialised
   * once.
   */
  #answer(result: SubgraphResult): ExecutionText {
    const { plan, cursorOf } = this.#options;
    const { latest } = plan;
    if (latest?.result === result) return latest.answer;
    const state = new RunState(this.#context);
    try {
      plan.source?.deliver(state, result);
      const answer = this.#finish(state, undefined, cursorOf?.(state.data));
      if (answer.codes.length === 0) plan.latest = { result, answer };
      return answer;
    } catch (error) {
      this.#isOver = true;
      return this.#lost(error);
    }
  }

  /** Reads from the upstream while calls are pending. Never rejects. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#waiting.length > 0 && !this.#isOver) {
      const { results, end } = await this.#gather();
      if (this.#isEnded) return;
      try {
        if (results.length > 0) for (const answer of await this.#answers(results)) this.#give(answer);
        if (typeof end === 'object') this.#give(this.#lost(end.error));
      } catch (error) {
        if (!this.#isEnded) this.#give(this.#lost(error));
        this.#isOver = true;
      }
      if (end) this.#isOver = true;
    }
    this.#isWorking = false;
    if (this.#isOver && this.#ready.length === 0) this.#end();
  }

  #give(value: ExecutionText): void {
    if (this.#isEnded) return;
    const resolve = this.#waiting.shift();
    if (resolve) resolve({ done: false, value });
    else this.#ready.push(value);
  }

  /** One event, and those that are available before the current turn of the event loop ends. */
  async #gather(): Promise<Gathered> {
    const gathered: Gathered = { results: [] };
    await this.#readNext(gathered, undefined);
    if (gathered.end || !this.#runsTogether()) return gathered;
    let isOver = false;
    const turn = new Promise<void>((resolve) =>
      setImmediate(() => {
        isOver = true;
        resolve();
      }),
    );
    while (!isOver && !gathered.end && gathered.results.length < mostTogether)
      await this.#readNext(gathered, turn);
    return gathered;
  }

  #runsTogether(): boolean {
    const { plan, traced } = this.#options;
    return plan.runsTogether && traced === undefined;
  }

  /** Reads the next event, unless the turn ends first. */
  async #readNext(gathered: Gathered, turn: Promise<void> | undefined): Promise<void> {
    const pending = (this.#pending ??= this.#upstream.next());
    try {
      const item = await (turn ? Promise.race([pending, turn]) : pending);
      if (!item) {
        // It may fail before the next call.
        pending.catch(() => undefined);
        return;
      }
      this.#pending = undefined;
      if (item.done) gathered.end = 'over';
      else gathered.results.push(item.value);
    } catch (error) {
      gathered.end = { error };
    }
  }

  async #answers(results: readonly SubgraphResult[]): Promise<ExecutionText[]> {
    const { plan, cursorOf } = this.#options;
    const runs = results.map((result) => {
      const trace = this.#options.traced && new Trace(this.#options.traced);
      const state = new RunState(trace ? { ...this.#context, trace } : this.#context);
      plan.source?.deliver(state, result);
      return { state, trace, cursor: cursorOf?.(state.data) };
    });
    const [first] = runs;
    if (first && runs.length === 1) await plan.run(first.state);
    else
      await plan.run(
        new EventBatch(
          this.#context,
          runs.map(({ state }) => state),
        ),
      );
    return runs.map(({ state, trace, cursor }) => this.#finish(state, trace, cursor));
  }

  #finish(state: RunState, trace: Trace | undefined, cursor: string | undefined): ExecutionText {
    const { operation, plan } = this.#options;
    // A fetch that failed for several events is reported in each of them.
    for (const failures of state.failures?.values() ?? []) {
      for (const { fetch } of failures) fetch.paths = 0;
    }
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
    this.#ready.length = 0;
    for (const resolve of this.#waiting.splice(0)) resolve(ended);
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.();
    this.#options.onEnd(this);
  }
}
