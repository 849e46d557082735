import { QueryPlanner } from '@graphql-hive/router-query-planner';
import {
  buildASTSchema,
  type DocumentNode,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  specifiedRules,
  validate,
  visit,
} from 'graphql';
import { publicDocument } from '../supergraph/public-schema.js';
import { assertSupportedFeatures } from '../supergraph/supported-features.js';
import { readSupergraph, type SupergraphFacts } from '../supergraph/supergraph.js';
import { guards } from './guards.js';
import { hasRedundantFetch, isShorter } from './checks/redundant-fetch.js';
import { type ConditionValues, expandedSize, normalise, splitRoots } from './normalise.js';
import { faultOf } from './checks/plan-check.js';
import { fetchesOf, type PlanNode } from './plan-format.js';
import { oneOfVariablesRule } from './one-of-variables.js';
import { selectOperation } from './select.js';
import { patchSupergraph } from './native/patch-supergraph.js';
import { readModel, type SupergraphModel } from './fallback/graph.js';
import { planByFallback } from './fallback/fallback-planner.js';
import { isUnplannable } from './checks/is-unplannable.js';

/** A request to plan an operation. */
export interface PlanRequest {
  readonly query: string;
  readonly operationName: string | undefined;
  /** Labels of progressive overrides that are on. */
  readonly labels: readonly string[];
  /** Overrides by `percent(n)` are on if this is below n; 100 switches all of them off. */
  readonly percentage: number;
  /**
   * Values of the variables of `@skip` and `@include`. A plan is for these only: with conditions, the planner
   * sometimes prints invalid text, and sometimes omits fetches below them.
   */
  readonly conditions: ConditionValues;
  /**
   * Whether to skip the native planner because it failed on this operation in a way that cannot be caught.
   */
  readonly fallbackOnly?: boolean | undefined;
}

/** A plan, or the reason why there is none. Plain data that can be sent to another process. */
export type PlanReply =
  | {
      readonly outcome: 'planned';
      readonly planner: 'native' | 'fallback' | 'none';
      /** Reason if the fallback planner created the plan. */
      readonly fault?: string | undefined;
      /** Null if nothing has to be fetched. */
      readonly node: PlanNode | null;
      /** Planner's name to client's name of variables that had to be renamed. */
      readonly renamed: Readonly<Record<string, string>>;
    }
  | { readonly outcome: 'unplannable'; readonly reason: string };

/** Errors in a document that prevent planning, as clients see them; empty if it is valid. */
export interface ValidationReply {
  readonly code:
    | 'GRAPHQL_PARSE_FAILED'
    | 'OPERATION_RESOLUTION_FAILURE'
    | 'GRAPHQL_VALIDATION_FAILED'
    | 'OPERATION_TOO_COMPLEX';
  readonly errors: readonly GraphQLFormattedError[];
}

/** Limits of validation and planning. */
export interface PlannerLimits {
  readonly documentTokens: number;
  /** Maximum number of fields of an operation after its fragments are inlined. */
  readonly expandedFields: number;
}

/**
 * Validates and plans operations of one supergraph. Synchronous and expensive: runs in a separate process.
 */
export interface Planner {
  readonly facts: SupergraphFacts;
  readonly overrides: { readonly labels: readonly string[]; readonly percentages: readonly number[] };
  validate(query: string, operationName: string | undefined): ValidationReply | undefined;
  plan(request: PlanRequest): PlanReply;
}

const incrementalDirectives =
  'directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT';
/** Maximum number of errors reported for one document. */
const maxValidationErrors = 25;

/** Builds the planner of a supergraph. Throws if the supergraph is invalid. */
export function createPlanner(givenSdl: string, limits: PlannerLimits): Planner {
  const { text, document } = patchSupergraph(givenSdl);
  assertSupportedFeatures(document);
  const main = new QueryPlanner(text);
  const publicSchema = publicDocument(document);
  const facts = readSupergraph(document, publicSchema);
  const schema = validationSchema(publicSchema);
  let model: SupergraphModel | undefined;
  // Parsed from the text: the document is not worth keeping for the few operations that need the model.
  const supergraphModel = (): SupergraphModel => (model ??= readModel(parse(text, { noLocation: true })));
  return {
    facts,
    overrides: { labels: main.overrideLabels, percentages: main.overridePercentages },
    validate: (query, operationName) => validateQuery(schema, limits, query, operationName),
    plan: (request) => planQuery({ schema, main, supergraphModel }, request),
  };
}

/** Clients may use `@defer`; it is answered at once, which the directive allows. */
function validationSchema(document: DocumentNode): GraphQLSchema {
  const known = document.definitions.some(
    (node) => node.kind === Kind.DIRECTIVE_DEFINITION && node.name.value === 'defer',
  );
  const extra = known ? [] : parse(incrementalDirectives, { noLocation: true }).definitions;
  return buildASTSchema(
    { kind: Kind.DOCUMENT, definitions: [...document.definitions, ...extra] },
    { assumeValid: true },
  );
}

function validateQuery(
  schema: GraphQLSchema,
  limits: PlannerLimits,
  query: string,
  operationName: string | undefined,
): ValidationReply | undefined {
  let document: DocumentNode;
  try {
    document = parse(query, { maxTokens: limits.documentTokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (tooManyTokens.test(error.message)) return tooComplex('tokens', limits.documentTokens);
    return { code: 'GRAPHQL_PARSE_FAILED', errors: [error.toJSON()] };
  }
  if (query.includes('__proto__') && usesName(document, '__proto__')) {
    return {
      code: 'GRAPHQL_VALIDATION_FAILED',
      errors: [{ message: 'The name "__proto__" is not allowed' }],
    };
  }
  const selected = selectOperation(document, operationName);
  if ('fault' in selected) {
    return { code: 'OPERATION_RESOLUTION_FAILURE', errors: [{ message: selected.fault }] };
  }
  if (!schema.getRootType(selected.operation.operation)) {
    const message = `The schema has no root for a ${selected.operation.operation}`;
    return { code: 'GRAPHQL_VALIDATION_FAILED', errors: [{ message }] };
  }
  const faults = faultsIn(schema, document);
  if (faults.some(({ message }) => message === comparisonsExceeded))
    return tooComplex('pairs of fields with the same response key', maxComparisons);
  if (faults.length > 0) {
    return { code: 'GRAPHQL_VALIDATION_FAILED', errors: merged(faults) };
  }
  if (expandedSize(selected, limits.expandedFields) > limits.expandedFields) {
    return tooComplex('fields with its fragments written out', limits.expandedFields);
  }
  return undefined;
}

const validationRules = [...specifiedRules, oneOfVariablesRule];
/**
 * Message with which graphql-js stops comparing fields of equal keys, and the number of pairs after which it
 * does.
 */
const comparisonsExceeded = 'Validation aborted.';
const maxComparisons = 500_000;

function faultsIn(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] {
  try {
    return validate(schema, document, validationRules, { maxErrors: maxValidationErrors });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    // graphql-js reads the root of subscriptions without values of variables, and throws if it needs one.
    const text = 'The root field of a subscription must not be under @skip or @include with a variable';
    return [new GraphQLError(text, { nodes: error.nodes })];
  }
}

/** Errors of equal text as one with all locations: the answer does not grow with their number. */
function merged(faults: readonly GraphQLError[]): readonly GraphQLFormattedError[] {
  const byMessage = new Map<string, GraphQLFormattedError>();
  for (const fault of faults) {
    const { locations = [], ...error } = fault.toJSON();
    const known = byMessage.get(fault.message)?.locations ?? [];
    byMessage.set(fault.message, { ...error, locations: [...known, ...locations] });
  }
  return [...byMessage.values()];
}

/** Message with which the parser rejects a document that is too long. */
const tooManyTokens = /contains more tha[nt] \d+ tokens/;

function tooComplex(field: string, limit: number): ValidationReply {
  const message = `The operation has more than ${limit} ${field}; the limit is ${limit}`;
  const extensions = { code: 'OPERATION_TOO_COMPLEX', field, expected: `at most ${limit}` };
  return { code: 'OPERATION_TOO_COMPLEX', errors: [{ message, extensions }] };
}

/**
 * True if an alias, a variable or another element has the name `__proto__`, which JavaScript objects cannot
 * hold.
 */
function usesName(document: DocumentNode, name: string): boolean {
  let uses = false;
  visit(document, {
    Name({ value }) {
      if (value === name) uses = true;
    },
  });
  return uses;
}

interface PlanContext {
  readonly schema: GraphQLSchema;
  readonly main: QueryPlanner;
  readonly supergraphModel: () => SupergraphModel;
}

function planQuery(context: PlanContext, request: PlanRequest): PlanReply {
  const selected = selectOperation(parse(request.query, { noLocation: true }), request.operationName);
  if ('fault' in selected) return { outcome: 'unplannable', reason: selected.fault };
  const { operation, renamed } = normalise(context.schema, selected, request.conditions);
  if (!operation) return { outcome: 'planned', planner: 'none', node: null, renamed };
  const native = request.fallbackOnly ? undefined : tryNative(context, operation, request);
  if (native?.ok && !hasRedundantFetch(native.node))
    return { outcome: 'planned', planner: 'native', node: native.node, renamed };
  if (native?.ok === false && isUnplannable(native.reason, operation, context.supergraphModel()))
    return { outcome: 'unplannable', reason: native.reason };
  const fallback = tryFallback(context, operation, request);
  if (native?.ok) {
    const shorter = fallback.ok && isShorter(fallback.node, native.node) ? fallback : undefined;
    if (!shorter) return { outcome: 'planned', planner: 'native', node: native.node, renamed };
    return {
      outcome: 'planned',
      planner: 'fallback',
      fault: guards['redundant-fetches'].fault,
      node: shorter.node,
      renamed,
    };
  }
  if (fallback.ok)
    return { outcome: 'planned', planner: 'fallback', fault: native?.reason, node: fallback.node, renamed };
  return { outcome: 'unplannable', reason: fallback.reason };
}

type Attempt =
  { readonly ok: true; readonly node: PlanNode | null } | { readonly ok: false; readonly reason: string };

function tryNative(context: PlanContext, operation: OperationDefinitionNode, request: PlanRequest): Attempt {
  const whole = tryText(context, operation, request);
  if (operation.operation !== 'mutation' || !whole.ok || isRootsOnly(whole.node)) return whole;
  // The planner may run the steps after one mutation in parallel with the next one; the specification
  // requires sequence.
  return inSequence(operation, (root) => tryText(context, root, request));
}

function tryFallback(
  context: PlanContext,
  operation: OperationDefinitionNode,
  request: PlanRequest,
): Attempt {
  const rootName = context.schema.getRootType(operation.operation)?.name ?? '';
  const overrides = {
    isOn: (label: string): boolean => {
      const percent = /^percent\((\d+(?:\.\d+)?)\)$/.exec(label)?.[1];
      return percent === undefined ? request.labels.includes(label) : request.percentage < Number(percent);
    },
  };
  const attempt = (root: OperationDefinitionNode): Attempt => {
    try {
      return { ok: true, node: planByFallback(context.supergraphModel(), overrides, rootName, root) };
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  };
  return operation.operation === 'mutation' ? inSequence(operation, attempt) : attempt(operation);
}

/** Plans the root fields one after the other. */
function inSequence(
  operation: OperationDefinitionNode,
  plan: (root: OperationDefinitionNode) => Attempt,
): Attempt {
  const nodes: PlanNode[] = [];
  for (const root of splitRoots(operation)) {
    const attempt = plan(root.operation);
    if (!attempt.ok) return attempt;
    if (attempt.node) nodes.push(attempt.node);
  }
  return { ok: true, node: { kind: 'Sequence', nodes } };
}

function isRootsOnly(node: PlanNode | null): boolean {
  return [...fetchesOf(node)].every(({ operationKind }) => operationKind === 'mutation');
}

function tryText(context: PlanContext, operation: OperationDefinitionNode, request: PlanRequest): Attempt {
  try {
    const { labels, percentage } = request;
    const plan = context.main.plan(print(operation), operation.name?.value, new Set(labels), percentage);
    const node = (plan.node ?? null) as PlanNode | null;
    // The planner may print invalid text; report it now rather than let a subgraph fail.
    for (const fetch of fetchesOf(node)) parse(fetch.operation, { noLocation: true });
    const fault = faultOf(node, operation, context.supergraphModel());
    return fault === undefined ? { ok: true, node } : { ok: false, reason: fault };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
