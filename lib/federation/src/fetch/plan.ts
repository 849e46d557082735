import { compileEntityFetch } from './entity-fetch.js';
import {
  type CompileContext,
  compileRootFetch,
  locatedRootFetchStep,
  type RootFetch,
  rootFetchStep,
  type Step,
} from './root-fetch.js';
import { compilePath } from '../result/path.js';
import type { Dependents } from '../result/nulls.js';
import { fetchesOf, type PlanNode } from '../planning/plan-format.js';
import type { RunState } from './run-state.js';
import type { Surroundings } from './call.js';
import type { TypeRelations } from '../supergraph/type-relations.js';

/** A plan compiled to closures. */
export interface CompiledPlan {
  /** The upstream, for subscriptions. */
  readonly source: RootFetch | undefined;
  /** All steps, or those that follow an event of the source. */
  readonly run: Step;
  readonly dependents: Dependents;
  /** True if several events can run as one: only entities are fetched for them. */
  readonly runsTogether: boolean;
  /**
   * True if an event of the source is the complete answer: nothing is fetched for it, and it is only read.
   */
  readonly isWhole: boolean;
  /** The plan in the planner's own form, for traces. */
  readonly node: PlanNode | null;
}

/** Context of a compilation in addition to the plan. */
export interface PlanSurroundings extends Surroundings {
  readonly relations: TypeRelations;
}

/**
 * Compiles a plan. Throws if the plan has elements that the executor does not know, which is better now than
 * at run time. `endsAfter` is called before each further mutation and returns whether those that ran, by
 * their keys, forbid it.
 */
export function compilePlan(
  node: PlanNode | null,
  renamed: Readonly<Record<string, string>>,
  around: PlanSurroundings,
  endsAfter?: (state: RunState, keys: ReadonlySet<string>) => boolean,
): CompiledPlan {
  if (!node) {
    const none = { runsTogether: false, isWhole: false };
    return { source: undefined, run: nothing, dependents: new Map(), ...none, node };
  }
  const context: CompileContext = {
    relations: around.relations,
    transportOf: around.transportOf,
    timeoutOf: around.timeoutOf,
    renamed,
    copies: needsCopies(node),
    dependents: new Map(),
  };
  const [first, rest] = splitSubscription(node);
  const source = first ? compileRootFetch(first.primary, context) : undefined;
  const run = !rest
    ? nothing
    : endsAfter && rest.kind === 'Sequence'
      ? mutations(rest.nodes, context, endsAfter)
      : compileNode(rest, context);
  const runsTogether = first !== undefined && rest !== undefined && fetchesEntitiesOnly(rest);
  const isWhole = source !== undefined && rest === undefined && !source.reshapes;
  return { source, run, dependents: context.dependents, runsTogether, isWhole, node };
}

const nothing: Step = async () => {};

type SubscriptionNode = Extract<PlanNode, { kind: 'Subscription' }>;

function splitSubscription(node: PlanNode): [SubscriptionNode | undefined, PlanNode | undefined] {
  if (node.kind === 'Subscription') return [node, undefined];
  if (node.kind !== 'Sequence') return [undefined, node];
  const [first, ...rest] = node.nodes;
  if (first?.kind !== 'Subscription') return [undefined, node];
  return [first, rest.length > 0 ? { kind: 'Sequence', nodes: rest } : undefined];
}

function fetchesEntitiesOnly(node: PlanNode): boolean {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel':
      return node.nodes.every(fetchesEntitiesOnly);
    case 'Condition':
      return [node.ifClause, node.elseClause].every((clause) => !clause || fetchesEntitiesOnly(clause));
    case 'Flatten':
      return (node.node.requires?.length ?? 0) > 0;
    default:
      return node.kind === 'BatchFetch';
  }
}

/** True if positions that share the answer of an entity may be changed differently later. */
function needsCopies(node: PlanNode): boolean {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel':
      return node.nodes.some(needsCopies);
    case 'Condition':
      return [node.ifClause, node.elseClause].some((clause) => clause && needsCopies(clause));
    case 'Flatten':
      return node.path.some((segment) => typeof segment === 'object' && 'TypeCondition' in segment);
    case 'BatchFetch':
      return node.entityBatch.aliases.some(
        ({ paths }) =>
          paths.length > 1 ||
          paths.some((path) =>
            path.some((segment) => typeof segment === 'object' && 'TypeCondition' in segment),
          ),
      );
    default:
      return false;
  }
}

function compileNode(node: PlanNode, context: CompileContext): Step {
  switch (node.kind) {
    case 'Fetch':
      return rootFetchStep(compileRootFetch(node, context));
    case 'Flatten': {
      const { node: fetch, path } = node;
      if (!fetch.requires || fetch.requires.length === 0) {
        return locatedRootFetchStep(fetch, compilePath(path, context.relations), context);
      }
      return compileEntityFetch(
        fetch,
        [
          {
            alias: '_entities',
            representationsVariableName: 'representations',
            paths: [path],
            requires: fetch.requires,
            inputRewrites: fetch.inputRewrites,
            outputRewrites: fetch.outputRewrites,
          },
        ],
        context,
      );
    }
    case 'BatchFetch':
      return compileEntityFetch(node, node.entityBatch.aliases, context);
    case 'Sequence':
      return sequence(node.nodes.map((child) => compileNode(child, context)));
    case 'Parallel':
      return parallel(node.nodes.map((child) => compileNode(child, context)));
    case 'Condition': {
      const yes = node.ifClause ? compileNode(node.ifClause, context) : nothing;
      const no = node.elseClause ? compileNode(node.elseClause, context) : nothing;
      const variable = context.renamed[node.condition] ?? node.condition;
      return (state) => (state.context.conditions[variable] === true ? yes(state) : no(state));
    }
    default:
      throw new Error(`A step of kind ${node.kind} is not allowed at this position of a plan.`);
  }
}

function sequence(steps: readonly Step[]): Step {
  const [only] = steps;
  if (only && steps.length === 1) return only;
  return async (state) => {
    for (const step of steps) await step(state);
  };
}

/** Runs mutations one after the other, each with its fetches, until one ends the operation. */
function mutations(
  nodes: readonly PlanNode[],
  context: CompileContext,
  endsAfter: (state: RunState, keys: ReadonlySet<string>) => boolean,
): Step {
  const done = new Set<string>();
  const steps = nodes.map((node) => {
    const before = new Set(done);
    const roots = [...fetchesOf(node)].filter(({ operationKind }) => operationKind === 'mutation');
    for (const fetch of roots)
      for (const key of compileRootFetch(fetch, context).shape.fields.keys()) done.add(key);
    return {
      run: compileNode(node, context),
      before: roots.length > 0 && before.size > 0 ? before : undefined,
    };
  });
  return async (state) => {
    for (const { run, before } of steps) {
      if (before && endsAfter(state, before)) return;
      await run(state);
    }
  };
}

function parallel(steps: readonly Step[]): Step {
  const [only] = steps;
  if (only && steps.length === 1) return only;
  return async (state) => {
    await Promise.all(steps.map((step) => step(state)));
  };
}
