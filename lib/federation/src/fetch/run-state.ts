import type { Principal } from '@rhizome/authz';
import type { PrincipalFor } from '../transport/transport.js';
import { type CallEnd, throwIfEnded } from '../transport/cancellation.js';
import type { ErrorContext, EngineError, Failure } from '../result/errors.js';
import type { DataObject } from '../result/path.js';
import type { ConditionValues } from './requires.js';
import type { Trace } from '../engine/trace.js';

/** The principal that a call of a subgraph carries. */
export function principalOfCall(
  { principal, principalFor }: RunContext,
  subgraph: string,
): Principal | undefined {
  return principal && principalFor ? principalFor(principal, subgraph) : principal;
}

/** Data common to all steps of one client's request. */
export interface RunContext extends ErrorContext {
  /** Variables as the client sent them; subgraphs apply the defaults in the operations of the plan. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Values of the variables of `@skip` and `@include`, with defaults applied. */
  readonly conditions: ConditionValues;
  readonly principal: Principal | undefined;
  /** The principal as a subgraph sees it; undefined: as it is. */
  readonly principalFor?: PrincipalFor | undefined;
  readonly scope: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Milliseconds for which calls may wait in addition to their timeout. */
  readonly waitMs?: number | undefined;
  readonly errorsPerFetch: number;
  readonly calls: RunningCalls;
  /** Records the run, if requested. */
  readonly trace?: Trace | undefined;
}

/** A call of a subgraph that can be cancelled. */
export interface RunningCall {
  end(reason: unknown): void;
}

/** Calls in flight for one request, ended together when the request is cancelled. */
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

  /** @throws the reason of the cancellation if the request was cancelled. */
  throwIfEnded(): void {
    throwIfEnded(this.#end);
  }

  enter(call: RunningCall): void {
    this.#running.add(call);
  }

  leave(call: RunningCall): void {
    this.#running.delete(call);
  }

  /** Ends the request: its cancellation is no longer observed. */
  done(): void {
    this.#leave();
  }
}

/** Data that grows while a plan runs: created for each operation and for each event of a subscription. */
export class RunState {
  readonly context: RunContext;
  data: DataObject = {};
  /** True if `data` already is an answer, into which others are merged. */
  answered = false;
  readonly errors: EngineError[] = [];
  /** States that this one represents in a fetch: itself, except for {@link EventBatch}. */
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

  /** Records that a fetch returned nothing for an object. */
  fail(entity: object, failure: Failure): void {
    this.#failures ??= new Map();
    const known = this.#failures.get(entity);
    if (known) known.push(failure);
    else this.#failures.set(entity, [failure]);
  }

  /** Records that a subgraph does not have a requested object. */
  leaveIncomplete(entity: object): void {
    this.#incomplete ??= new Set();
    this.#incomplete.add(entity);
  }

  /** True if a fetch returned nothing for an object, so that its key may be missing. */
  isIncomplete(entity: object): boolean {
    return (this.#incomplete?.has(entity) ?? false) || (this.#failures?.has(entity) ?? false);
  }
}

/**
 * Events that arrived together: one call fetches the entities of all of them; their answers remain separate.
 */
export class EventBatch extends RunState {
  override readonly parts: readonly RunState[];

  constructor(context: RunContext, parts: readonly RunState[]) {
    super(context);
    this.parts = parts;
  }

  /** The event that an object belongs to is determined when the event's answer is written. */
  override fail(entity: object, failure: Failure): void {
    for (const part of this.parts) part.fail(entity, failure);
  }

  override leaveIncomplete(entity: object): void {
    for (const part of this.parts) part.leaveIncomplete(entity);
  }
}
