import type { FetchBase, PathSegment, PlanNode } from '../planning/plan-format.js';

/** Facts that a handler knows about a request before the engine runs it. */
export interface TraceRequest {
  /** Time that parsing, validating and measuring the document took, in milliseconds. */
  readonly preparedMs: number;
  /** Estimated cost of the operation; see the gateway's limits. */
  readonly cost: number;
}

/** One call of a subgraph. */
interface CallNote {
  readonly startMs: number;
  durationMs: number | undefined;
  readonly entities: number | undefined;
  errors: number;
  code: string | undefined;
}

/** Facts about a plan in addition to its steps. */
export interface TracedPlan {
  readonly node: PlanNode | null;
  readonly planner: 'native' | 'fallback' | 'none';
}

/** Records the steps of one run of a plan with their times, for `extensions.plan`. */
export class Trace {
  readonly #request: TraceRequest;
  readonly #startedAt = performance.now();
  readonly #calls = new Map<FetchBase, CallNote>();
  #plannedMs = 0;

  constructor(request: TraceRequest) {
    this.#request = request;
  }

  /** Records that the plan is available: created now, or earlier. */
  planned(): void {
    this.#plannedMs = this.#elapsed();
  }

  /** Records a call of a subgraph; call the returned function when it has answered. */
  call(fetch: FetchBase, entities: number | undefined): (errors: number, code: string | undefined) => void {
    const note: CallNote = {
      startMs: this.#elapsed(),
      durationMs: undefined,
      entities,
      errors: 0,
      code: undefined,
    };
    this.#calls.set(fetch, note);
    return (errors, code) => {
      note.durationMs = round(this.#elapsed() - note.startMs);
      note.errors = errors;
      note.code = code;
    };
  }

  /** The value of `extensions.plan` as JSON text. */
  text({ node, planner }: TracedPlan): string {
    const { preparedMs, cost } = this.#request;
    return JSON.stringify({
      planner,
      cost,
      preparedMs: round(preparedMs),
      plannedMs: this.#plannedMs,
      totalMs: round(preparedMs + this.#elapsed()),
      tree: node ? this.#tree(node) : null,
    });
  }

  #elapsed(): number {
    return round(performance.now() - this.#startedAt);
  }

  #tree(node: PlanNode): object {
    switch (node.kind) {
      case 'Sequence':
      case 'Parallel':
        return { kind: node.kind, nodes: node.nodes.map((child) => this.#tree(child)) };
      case 'Flatten':
        return this.#fetch(node.node, [pathText(node.path)]);
      case 'Fetch':
        return this.#fetch(node, undefined);
      case 'BatchFetch':
        return this.#fetch(
          node,
          node.entityBatch.aliases.flatMap(({ paths }) => paths.map(pathText)),
        );
      case 'Subscription':
        return { kind: 'Event', subgraph: node.primary.serviceName, operation: node.primary.operation };
      case 'Condition':
        return {
          kind: 'Condition',
          variable: node.condition,
          then: node.ifClause ? this.#tree(node.ifClause) : null,
          else: node.elseClause ? this.#tree(node.elseClause) : null,
        };
    }
  }

  #fetch(fetch: FetchBase, paths: readonly string[] | undefined): object {
    const note = this.#calls.get(fetch);
    return {
      kind: 'Fetch',
      subgraph: fetch.serviceName,
      ...(paths ? { paths } : {}),
      ...(note ?? { skipped: 'nothing was there to ask for' }),
      operation: fetch.operation,
    };
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function pathText(path: readonly PathSegment[]): string {
  return path
    .map((segment) => {
      if (segment === '@') return '@';
      return 'Field' in segment ? segment.Field : `|[${segment.TypeCondition.join('|')}]`;
    })
    .join('.');
}
