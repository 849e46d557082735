// Format of the planner's plans, as seen in real plans; stricter than its own declarations
// (`Flatten` always wraps one Fetch, `Defer` is never built, the primary of a Subscription has no kind).
// Only this folder and the compiler of plans use it.

/** One step of a plan. */
export type PlanNode =
  FetchNode | BatchFetchNode | SequenceNode | ParallelNode | FlattenNode | ConditionNode | SubscriptionNode;

/** Facts about the subgraph's operation, common to all kinds of fetch. */
export interface FetchBase {
  readonly serviceName: string;
  readonly variableUsages?: readonly string[] | undefined;
  readonly operationKind?: 'query' | 'mutation' | 'subscription' | undefined;
  readonly operationName?: string | undefined;
  readonly operation: string;
}

/**
 * One operation of one subgraph: of its roots, or of `_entities` if `requires` describes the representations.
 */
export interface FetchNode extends FetchBase {
  readonly kind: 'Fetch';
  readonly requires?: readonly RequiresNode[] | undefined;
  readonly inputRewrites?: readonly Rewrite[] | undefined;
  readonly outputRewrites?: readonly Rewrite[] | undefined;
}

/** Several entity fetches of one subgraph in one operation. */
export interface BatchFetchNode extends FetchBase {
  readonly kind: 'BatchFetch';
  readonly entityBatch: { readonly aliases: readonly EntityBatchAlias[] };
}

/** One aliased `_entities` field of a batch and the paths whose objects it completes. */
export interface EntityBatchAlias {
  readonly alias: string;
  readonly representationsVariableName: string;
  readonly paths: readonly (readonly PathSegment[])[];
  readonly requires: readonly RequiresNode[];
  readonly inputRewrites?: readonly Rewrite[] | undefined;
  readonly outputRewrites?: readonly Rewrite[] | undefined;
}

export interface SequenceNode {
  readonly kind: 'Sequence';
  readonly nodes: readonly PlanNode[];
}

export interface ParallelNode {
  readonly kind: 'Parallel';
  readonly nodes: readonly PlanNode[];
}

/** A fetch for the entities found along a path. */
export interface FlattenNode {
  readonly kind: 'Flatten';
  readonly path: readonly PathSegment[];
  readonly node: FetchNode;
}

/** Steps that depend on a Boolean variable of the client. */
export interface ConditionNode {
  readonly kind: 'Condition';
  readonly condition: string;
  readonly ifClause?: PlanNode | null | undefined;
  readonly elseClause?: PlanNode | null | undefined;
}

/** The upstream of a subscription; the steps after it in its Sequence run for each event. */
export interface SubscriptionNode {
  readonly kind: 'Subscription';
  readonly primary: FetchBase;
}

/** A step of a path: a field, a filter by concrete type, or all items of a list. */
export type PathSegment = { readonly Field: string } | { readonly TypeCondition: readonly string[] } | '@';

/** Part of a representation. `name` is the key in our data, `alias` the key in the representation. */
export type RequiresNode =
  | {
      readonly kind: 'InlineFragment';
      readonly typeCondition: string;
      readonly selections: readonly RequiresNode[];
      readonly skipIf?: string | null | undefined;
      readonly includeIf?: string | null | undefined;
    }
  | {
      readonly kind: 'Field';
      readonly name: string;
      readonly alias?: string | null | undefined;
      readonly selections?: readonly RequiresNode[] | null | undefined;
    };

/** A change of a representation before it is sent, or of an answer before it is merged. */
export type Rewrite =
  | { readonly ValueSetter: { readonly path: readonly RewriteSegment[]; readonly setValueTo: string } }
  | { readonly KeyRenamer: { readonly path: readonly RewriteSegment[]; readonly renameKeyTo: string } }
  | { readonly kind: 'ValueSetter'; readonly path: readonly RewriteSegment[]; readonly setValueTo: string };

export type RewriteSegment = { readonly TypenameEquals: readonly string[] } | { readonly Key: string };

/** The fetches of a plan in document order. */
export function* fetchesOf(node: PlanNode | null | undefined): Generator<FetchBase> {
  if (!node) return;
  switch (node.kind) {
    case 'Fetch':
    case 'BatchFetch':
      yield node;
      return;
    case 'Subscription':
      yield node.primary;
      return;
    case 'Flatten':
      yield node.node;
      return;
    case 'Condition':
      yield* fetchesOf(node.ifClause);
      yield* fetchesOf(node.elseClause);
      return;
    case 'Sequence':
    case 'Parallel':
      for (const child of node.nodes) yield* fetchesOf(child);
      return;
    default:
      throw new Error(`The plan has a step of unknown kind: ${JSON.stringify(node)}`);
  }
}

/** One fetch of a plan with the paths that it completes: none for roots. */
export interface LocatedFetch {
  readonly fetch: FetchBase;
  readonly parts: readonly {
    /** The root field of the operation that completes these paths; undefined for all roots. */
    readonly alias: string | undefined;
    readonly paths: readonly (readonly PathSegment[])[];
    readonly requires?: readonly RequiresNode[] | undefined;
    readonly inputRewrites?: readonly Rewrite[] | undefined;
    readonly outputRewrites?: readonly Rewrite[] | undefined;
  }[];
}

/** The fetches of a plan with their paths. */
export function* locatedFetchesOf(
  node: PlanNode | null | undefined,
  path: readonly PathSegment[] = [],
): Generator<LocatedFetch> {
  if (!node) return;
  switch (node.kind) {
    case 'Fetch': {
      const { requires, inputRewrites, outputRewrites } = node;
      const alias = requires ? '_entities' : undefined;
      yield { fetch: node, parts: [{ alias, paths: [path], requires, inputRewrites, outputRewrites }] };
      return;
    }
    case 'BatchFetch':
      yield { fetch: node, parts: node.entityBatch.aliases };
      return;
    case 'Subscription':
      yield { fetch: node.primary, parts: [{ alias: undefined, paths: [[]] }] };
      return;
    case 'Flatten':
      yield* locatedFetchesOf(node.node, node.path);
      return;
    case 'Condition':
      yield* locatedFetchesOf(node.ifClause);
      yield* locatedFetchesOf(node.elseClause);
      return;
    default:
      for (const child of node.nodes) yield* locatedFetchesOf(child);
  }
}
