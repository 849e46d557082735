import { withoutSuggestions } from '@rhizome/errors';
import { type GraphQLError, type GraphQLSchema, isNonNullType, type SelectionSetNode } from 'graphql';
import { type Coerced, compileCoercion } from '@rhizome/subgraph';
import { LRUCache } from 'lru-cache';
import type { SchemaView, SchemaViews } from './schema-views.js';
import type { SubgraphResult, Transport } from '../transport/transport.js';
import { type Refusal, refusal } from '../result/refusal.js';
import { AnswerSelection } from '../result/collect.js';
import { errorsText } from '../result/errors.js';
import { introspect, asksForSchema } from './introspection.js';
import { explain, type SchemaNames } from '../result/nulls.js';
import { type CompiledPlan, compilePlan } from '../fetch/plan.js';
import { valueAt } from '../result/path.js';
import { conditionVariables } from '../planning/normalise.js';
import type { PlanningService } from '../planning/pool.js';
import type { SelectedOperation } from '../planning/select.js';
import { bubbles, compileAnswer, type WriteMark } from '../result/project.js';
import type { ConditionValues } from '../fetch/requires.js';
import { RunState, type RunContext } from '../fetch/run-state.js';
import { yieldToEventLoop } from '../engine/event-loop-queue.js';
import type { TypeRelations } from '../supergraph/type-relations.js';
import type {
  EngineLimits,
  EngineLog,
  EngineOptions,
  ExecutionText,
  OperationInfo,
} from '../engine/types.js';

/** Context that all operations of an engine share. */
export interface EngineComponents {
  readonly schema: GraphQLSchema;
  readonly planning: PlanningService;
  readonly relations: TypeRelations;
  readonly names: SchemaNames;
  readonly limits: EngineLimits;
  readonly log: EngineLog;
  /** True if only the fallback planner is used. */
  readonly fallbackOnly: boolean;
  readonly onPlan: EngineOptions['onPlan'];
  readonly views: SchemaViews;
  transportOf(subgraph: string): Transport;
  timeoutOf(subgraph: string): number;
}

/** Progressive overrides that are on for a request. */
export interface Overrides {
  readonly labels: readonly string[];
  readonly percentage: number;
  /** Equal for equal overrides. */
  readonly key: string;
}

/** Coerced variables of a request, or the errors in them. */
export type CoercedVariables =
  | {
      readonly ok: true;
      readonly coerced: Readonly<Record<string, unknown>>;
      readonly conditions: ConditionValues;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** A compiled plan and its planner. */
export interface MadePlan extends CompiledPlan {
  readonly planner: 'native' | 'fallback' | 'none';
  /** The last result that was written for an event without fetches: one event may go to many streams. */
  latest: { readonly result: SubgraphResult; readonly answer: ExecutionText } | undefined;
}

/** Result of planning. */
type Planned = MadePlan | Refusal;

/** The answer to an operation under one set of conditions. */
interface Projection {
  readonly selection: AnswerSelection;
  readonly write: ReturnType<typeof compileAnswer>;
}

/** Maximum number of combinations of conditions that one operation keeps compiled. */
const keptVariants = 64;
/**
 * Bounded by size, not by count: with `max`, every operation would allocate all 64 slots, of which it uses
 * one or two (2.6 KB, 9 µs).
 */
const variants = { maxSize: keptVariants, sizeCalculation: () => 1 };
const maxVariableErrors = 20;

/** One compiled operation of a client, run for each request. */
export class Operation {
  readonly info: OperationInfo;
  readonly selected: SelectedOperation;
  readonly #parts: EngineComponents;
  /** The planned document: the client's operation, with a cursor added if needed. */
  readonly #planText: string;
  readonly #coerce: (variables: Readonly<Record<string, unknown>>) => Coerced;
  readonly #conditionNames: readonly string[];
  readonly #plans = new LRUCache<string, Planned | Promise<Planned>>(variants);
  readonly #projections = new LRUCache<string, Projection>(variants);
  readonly #asksForSchema: boolean;
  readonly #notices: string;

  constructor(parts: EngineComponents, selected: SelectedOperation, info: OperationInfo, planText: string) {
    this.#parts = parts;
    this.selected = selected;
    this.info = info;
    this.#planText = planText;
    this.#coerce = compileCoercion(parts.schema, selected.operation, maxVariableErrors);
    this.#conditionNames = conditionVariables(selected.document);
    this.#asksForSchema = asksForSchema(selected);
    this.#notices = noticesOf(info);
  }

  /** The cached answer, if it is the same each time. */
  answerIn(view: SchemaView): ExecutionText | undefined {
    return this.#asksForSchema ? view.answers.get(this) : undefined;
  }

  /** The schema that answers introspection for a request. */
  view(withoutTags: readonly string[] | undefined): SchemaView | Promise<SchemaView> {
    const { views } = this.#parts;
    return this.#asksForSchema && withoutTags ? views.without(withoutTags) : views.whole;
  }

  /** Checks a request's variables against the schema and applies defaults. */
  coerce(variables: Readonly<Record<string, unknown>>): CoercedVariables {
    const definitions = this.selected.operation.variableDefinitions;
    if (!definitions || definitions.length === 0) return nothingToCoerce;
    const result = this.#coerce(variables);
    if (result.errors) {
      const errors = result.errors.map((error: GraphQLError) => {
        const shown = error.toJSON();
        return { ...shown, message: withoutSuggestions(shown.message) };
      });
      return { ok: false, refusal: refusal('BAD_USER_INPUT', errors, this.info.kind) };
    }
    const conditions: Record<string, boolean> = {};
    for (const name of this.#conditionNames) conditions[name] = result.coerced[name] === true;
    return { ok: true, coerced: result.coerced, conditions };
  }

  /**
   * The compiled plan for a request; created on first use, for one set of conditions, and then available
   * synchronously.
   */
  plan(conditions: ConditionValues, overrides: Overrides): Planned | Promise<Planned> {
    const key = `${overrides.key}|${this.#bitsOf(conditions)}`;
    const known = this.#plans.get(key);
    if (known) return known;
    const fresh = this.#makePlan(conditions, overrides);
    this.#plans.set(key, fresh);
    fresh.then(
      (planned) => void (this.#plans.peek(key) === fresh && this.#plans.set(key, planned)),
      // An unavailable planner says nothing about the operation: do not cache the failure.
      () => void (this.#plans.peek(key) === fresh && this.#plans.delete(key)),
    );
    return fresh;
  }

  async #makePlan(conditions: ConditionValues, { labels, percentage }: Overrides): Promise<Planned> {
    const reply = await this.#parts.planning.plan({
      query: this.#planText,
      operationName: this.info.name,
      labels,
      percentage,
      conditions,
      fallbackOnly: this.#parts.fallbackOnly,
    });
    if (reply.outcome === 'planned') {
      const { planner, fault, node } = reply;
      if (planner === 'fallback' && fault !== undefined) {
        this.#parts.log.debug(
          { operation: this.info.name, fault },
          'operation planned by the fallback planner',
        );
      }
      this.#parts.onPlan?.({ operation: this.info, planner, fault, plan: node });
      const endsAfter = this.info.kind === 'mutation' ? this.#endsAfter(conditions) : undefined;
      await yieldToEventLoop();
      const plan = {
        ...compilePlan(node, reply.renamed, this.#parts, endsAfter),
        planner,
        latest: undefined,
      };
      await yieldToEventLoop();
      return plan;
    }
    this.#parts.log.warn({ operation: this.info.name, reason: reply.reason }, 'planning failed');
    return unplannable(this.info, reply.reason);
  }

  /**
   * A non-null mutation that returns null leaves no answer: the mutations after it do not run, as in
   * graphql-js.
   */
  #endsAfter(conditions: ConditionValues): (state: RunState, keys: ReadonlySet<string>) => boolean {
    const { selection } = this.#projectionOf(conditions);
    const checks = selection
      .fieldsOf(selection.type)
      .filter(({ type }) => isNonNullType(type))
      .map((field) => ({ key: field.key, leavesNull: bubbles(field) }));
    return ({ data }, keys) =>
      checks.some(({ key, leavesNull }) => keys.has(key) && leavesNull(valueAt(data, key)));
  }

  /** Answers to introspection are written into the data first. */
  begin(
    context: RunContext,
    coerced: Readonly<Record<string, unknown>>,
    view = this.#parts.views.whole,
  ): RunState {
    const state = new RunState(context);
    if (this.#asksForSchema) {
      Object.assign(state.data, introspect(view.schema, this.selected, coerced));
      state.answered = true;
    }
    return state;
  }

  /** Writes the answer of a state whose plan has run. */
  finish(state: RunState, plan: CompiledPlan, view = this.#parts.views.whole): ExecutionText {
    const { selection, write } = this.#projectionOf(state.context.conditions);
    const mark: WriteMark = { bubbled: false };
    const data = write(state.data, mark);
    if (!mark.bubbled && state.errors.length === 0 && !state.failures) {
      const text = `{"data":${data}${this.#notices}}`;
      const answer: ExecutionText = { text, outcome: 'executed', kind: this.info.kind, codes: none };
      const isConstant = plan.node === null && !this.selected.operation.variableDefinitions?.length;
      if (this.#asksForSchema && isConstant) view.answers.set(this, answer);
      return answer;
    }
    const errors = explain(selection, state, plan.dependents, this.#parts.names);
    const shown = errors.length > 0 ? `"errors":${errorsText(errors, state.context.requestId)},` : '';
    return {
      text: `{${shown}"data":${data}${this.#notices}}`,
      outcome: 'executed',
      kind: this.info.kind,
      codes: errors.map(({ code }) => code),
    };
  }

  #projectionOf(conditions: ConditionValues): Projection {
    const key = this.#bitsOf(conditions);
    let projection = this.#projections.get(key);
    if (!projection) {
      const selection = AnswerSelection.ofOperation(this.#parts.schema, this.selected, conditions);
      projection = { selection, write: compileAnswer(selection) };
      this.#projections.set(key, projection);
    }
    return projection;
  }

  #bitsOf(conditions: ConditionValues): string {
    let bits = '';
    for (const name of this.#conditionNames) bits += conditions[name] === true ? '1' : '0';
    return bits;
  }
}

const none: readonly string[] = [];
const nothingToCoerce: CoercedVariables = { ok: true, coerced: {}, conditions: {} };

function unplannable(info: OperationInfo, reason: string): Refusal {
  return {
    kind: info.kind,
    errors: [
      {
        message: `No query plan was found for this operation from the services of the graph: ${reason}`,
        code: 'GRAPHQL_VALIDATION_FAILED',
      },
    ],
  };
}

const deferNotice = ',"extensions":{"notices":["@defer is answered at once, with the rest of the answer"]}';

/** Adds an entry to the extensions of an answer; its value is JSON text. */
export function withExtension<T extends Pick<ExecutionText, 'text'>>(
  answer: T,
  name: string,
  json: string,
): T {
  const { text } = answer;
  const isNoticed = text.endsWith(`${deferNotice}}`);
  const start = isNoticed ? `${text.slice(0, -2)},` : `${text.slice(0, -1)},"extensions":{`;
  return { ...answer, text: `${start}${JSON.stringify(name)}:${json}}}` };
}

/** Notes in the answer's extensions, as JSON text after `data`. */
function noticesOf({ document }: OperationInfo): string {
  const defers = document.definitions.some((node) => 'selectionSet' in node && usesDefer(node.selectionSet));
  if (!defers) return '';
  return deferNotice;
}

function usesDefer(set: SelectionSetNode): boolean {
  return set.selections.some(
    (selection) =>
      selection.directives?.some(({ name }) => name.value === 'defer') ||
      ('selectionSet' in selection &&
        selection.selectionSet !== undefined &&
        usesDefer(selection.selectionSet)),
  );
}
