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
  validate,
} from 'graphql';
import { readSupergraph, type SupergraphFacts } from '../supergraph.js';
import { type ConditionValues, conditionVariables, expandedSize, hasRootConditions, normalise, splitRoots } from './normalise.js';
import { fetchesOf, type PlanNode } from './plan-format.js';
import { selectOperation } from './select.js';
import { serviceOfTwin, withTwins } from './twins.js';

/** What is to be planned. */
export interface PlanRequest {
  readonly query: string;
  readonly operationName: string | undefined;
  /** Labels of progressive overrides that are on. */
  readonly labels: readonly string[];
  /** Overrides by `percent(n)` are on where this is below n; 100 switches all of them off. */
  readonly percentage: number;
  /** Values of the variables of `@skip` and `@include`, where the plan shall be for these only. */
  readonly conditions?: ConditionValues | undefined;
}

/** A plan, or what stands in its way. Plain data that can cross threads. */
export type PlanReply =
  | {
      readonly outcome: 'planned';
      /** Null where nothing is to be fetched. */
      readonly node: PlanNode | null;
      /** Planner's name to client's name of variables that had to be renamed. */
      readonly renamed: Readonly<Record<string, string>>;
    }
  /** There is no plan for all values of the conditions: ask for one with the values at hand. */
  | { readonly outcome: 'specialise' }
  | { readonly outcome: 'unplannable'; readonly reason: string };

/** Faults of a document that keep it from being planned, as clients are told of them; empty if it is fine. */
export interface ValidationReply {
  readonly code: 'GRAPHQL_PARSE_FAILED' | 'OPERATION_RESOLUTION_FAILURE' | 'GRAPHQL_VALIDATION_FAILED' | 'LIMIT_EXCEEDED';
  readonly errors: readonly GraphQLFormattedError[];
}

/** Bounds of what is validated and planned. */
export interface PlannerLimits {
  readonly documentTokens: number;
  /** Fields of an operation with its fragments written out. */
  readonly expandedFields: number;
}

/** Validates and plans operations of one supergraph. Synchronous and costly: lives in a thread of its own. */
export interface Planner {
  readonly facts: SupergraphFacts;
  readonly overrides: { readonly labels: readonly string[]; readonly percentages: readonly number[] };
  validate(query: string, operationName: string | undefined): ValidationReply | undefined;
  plan(request: PlanRequest): PlanReply;
}

const incrementalDirectives =
  'directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT';
/** A document with thousands of faults is answered with the first few. */
const maxValidationErrors = 25;

/** Builds the planner of a supergraph. Throws when the supergraph is not one. */
export function createPlanner(supergraphSdl: string, limits: PlannerLimits): Planner {
  const main = new QueryPlanner(supergraphSdl);
  const facts = readSupergraph(supergraphSdl);
  const schema = validationSchema(facts.publicSdl);
  let twins: QueryPlanner | null | undefined;
  const twinPlanner = (): QueryPlanner | null => {
    if (twins === undefined) {
      const sdl = withTwins(supergraphSdl);
      twins = sdl === undefined ? null : new QueryPlanner(sdl);
    }
    return twins;
  };
  return {
    facts,
    overrides: { labels: main.overrideLabels, percentages: main.overridePercentages },
    validate: (query, operationName) => validateQuery(schema, limits, query, operationName),
    plan: (request) => planQuery({ schema, main, twinPlanner }, request),
  };
}

/** Clients may write `@defer`; it is answered at once, which the directive allows. */
function validationSchema(publicSdl: string): GraphQLSchema {
  const document = parse(publicSdl, { noLocation: true });
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
    return { code: 'GRAPHQL_PARSE_FAILED', errors: [error.toJSON()] };
  }
  const selected = selectOperation(document, operationName);
  if ('fault' in selected) {
    return { code: 'OPERATION_RESOLUTION_FAILURE', errors: [{ message: selected.fault }] };
  }
  const faults = validate(schema, document, undefined, { maxErrors: maxValidationErrors });
  if (faults.length > 0) {
    return { code: 'GRAPHQL_VALIDATION_FAILED', errors: faults.map((fault) => fault.toJSON()) };
  }
  if (expandedSize(selected, limits.expandedFields) > limits.expandedFields) {
    const message = `The operation has more than ${limits.expandedFields} fields when its fragments are written out`;
    return { code: 'LIMIT_EXCEEDED', errors: [{ message }] };
  }
  return undefined;
}

interface PlanContext {
  readonly schema: GraphQLSchema;
  readonly main: QueryPlanner;
  readonly twinPlanner: () => QueryPlanner | null;
}

function planQuery(context: PlanContext, request: PlanRequest): PlanReply {
  const selected = selectOperation(parse(request.query, { noLocation: true }), request.operationName);
  if ('fault' in selected) return { outcome: 'unplannable', reason: selected.fault };
  const { operation, renamed } = normalise(context.schema, selected, request.conditions);
  if (!operation) return { outcome: 'planned', node: null, renamed };
  // The order of mutations is that of the fields that are really there.
  if (operation.operation === 'mutation' && hasRootConditions(operation)) return { outcome: 'specialise' };
  const plain = tryPlan(context.main, operation, request);
  if (plain.ok) return { outcome: 'planned', node: plain.node, renamed };
  if (!request.conditions && conditionVariables(operation).length > 0) return { outcome: 'specialise' };
  const twins = context.twinPlanner();
  const second = twins ? tryPlan(twins, operation, request) : plain;
  if (second.ok) return { outcome: 'planned', node: withoutTwins(second.node), renamed };
  return { outcome: 'unplannable', reason: plain.reason };
}

type Attempt = { readonly ok: true; readonly node: PlanNode | null } | { readonly ok: false; readonly reason: string };

function tryPlan(planner: QueryPlanner, operation: OperationDefinitionNode, request: PlanRequest): Attempt {
  const whole = tryPlanText(planner, operation, request);
  if (operation.operation !== 'mutation' || (whole.ok && isRootsOnly(whole.node))) return whole;
  // The planner lets what follows one mutation run beside the next one; the spec wants one to end before the next.
  const roots = splitRoots(operation);
  if (roots.length < 2) return whole;
  const nodes: PlanNode[] = [];
  for (const root of roots) {
    const attempt = tryPlanText(planner, root.operation, request);
    if (!attempt.ok) return attempt;
    if (attempt.node) nodes.push(attempt.node);
  }
  return { ok: true, node: { kind: 'Sequence', nodes } };
}

function isRootsOnly(node: PlanNode | null): boolean {
  return [...fetchesOf(node)].every(({ operationKind }) => operationKind === 'mutation');
}

function tryPlanText(planner: QueryPlanner, operation: OperationDefinitionNode, request: PlanRequest): Attempt {
  try {
    const { labels, percentage } = request;
    const plan = planner.plan(print(operation), operation.name?.value, new Set(labels), percentage);
    const node = (plan.node ?? null) as PlanNode | null;
    // The planner may print what cannot be parsed; better to know now than from a subgraph.
    for (const fetch of fetchesOf(node)) parse(fetch.operation, { noLocation: true });
    return { ok: true, node };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function withoutTwins(node: PlanNode | null): PlanNode | null {
  return JSON.parse(JSON.stringify(node), (key, value: unknown) =>
    key === 'serviceName' && typeof value === 'string' ? serviceOfTwin(value) : value,
  ) as PlanNode | null;
}

