import type { Principal } from '@rhizome/authz';
import { type CallEnd, throwIfEnded } from '../transport/cancellation.js';
import type { ErrorContext, EngineError, Failure } from '../result/errors.js';
import type { DataObject } from '../result/path.js';
import type { ConditionValues } from './requires.js';
import type { Trace } from '../engine/trace.js';

/** What is the same for everything that is done for one client's request. */
export interface RunContext extends ErrorContext {
  /** Variables as the client sent them; subgraphs apply the defaults that the plan's operations carry. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Values of the variables of `@skip` and `@include`, defaults applied. */
  readonly conditions: ConditionValues;
  readonly principal: Principal | undefined;
  readonly scope: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly errorsPerFetch: number;
  readonly calls: RunningCalls;
  /** Where somebody wants to see how it went. */
  readonly trace?: Trace | undefined;
}

/** A call of a subgraph that can be ended from outside. */
export interface RunningCall {
  end(reason: unknown): void;
}

/** The calls in flight for one request, ended together when the request is told to end. */
export class RunningCalls {
  readonly #end: CallEnd;
  readonly #running = new Set<RunningCall>();
  readonly #leave: () => void;

  constructor(end: CallEnd) {
    this.#end = end;
    this.#leave = end.onCancel((reason) => {
      for (const call of [...this.#running]) call.end(reason);
    });
  }

  /** @throws the reason of the request's end when it was told to end. */
  throwIfEnded(): void {
    throwIfEnded(this.#end);
  }

  enter(call: RunningCall): void {
    this.#running.add(call);
  }

  leave(call: RunningCall): void {
    this.#running.delete(call);
  }

  /** The request is done: its end is no longer listened to. */
  done(): void {
    this.#leave();
  }
}

/** What grows while a plan runs: made anew for each operation and for each event of a subscription. */
export class RunState {
  readonly context: RunContext;
  data: DataObject = {};
  /** Whether `data` is an answer already, into which others are merged. */
  answered = false;
  readonly errors: EngineError[] = [];
  /** The states that this one stands for in a fetch: itself, but for {@link EventBatch}. */
  readonly parts: readonly RunState[] = [this];
  #failures: Map<object, Failure[]> | undefined;
  #incomplete: Set<object> | undefined;

  constructor(context: RunContext) {
    this.context = context;
  }

  /** Failures of fetches by the objects that they leave incomplete; undefined while nothing failed. */
  get failures(): ReadonlyMap<object, readonly Failure[]> | undefined {
    return this.#failures;
  }

  /** Notes that a fetch brought nothing to an object. */
  fail(entity: object, failure: Failure): void {
    this.#failures ??= new Map();
    const known = this.#failures.get(entity);
    if (known) known.push(failure);
    else this.#failures.set(entity, [failure]);
  }

  /** Notes that a service does not have an object that it was asked for. */
  leaveIncomplete(entity: object): void {
    this.#incomplete ??= new Set();
    this.#incomplete.add(entity);
  }

  /** Whether a fetch brought nothing to an object, so that what is missing may be its key. */
  isIncomplete(entity: object): boolean {
    return (this.#incomplete?.has(entity) ?? false) || (this.#failures?.has(entity) ?? false);
  }
}

/** Events that arrived together: what each needs of a service is asked for in one call; their answers stay their own. */
export class EventBatch extends RunState {
  override readonly parts: readonly RunState[];

  constructor(context: RunContext, parts: readonly RunState[]) {
    super(context);
    this.parts = parts;
  }

  /** Which event an object belongs to is seen when the event's answer is written. */
  override fail(entity: object, failure: Failure): void {
    for (const part of this.parts) part.fail(entity, failure);
  }

  override leaveIncomplete(entity: object): void {
    for (const part of this.parts) part.leaveIncomplete(entity);
  }
}
