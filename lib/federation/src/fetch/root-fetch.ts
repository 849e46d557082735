import { Kind, type SelectionNode } from 'graphql';
import type { SubgraphError, SubgraphResult } from '../transport/transport.js';
import { type CompiledCall, compileCall, send, type Surroundings, variablesOf } from './call.js';
import { badAnswer, type EngineError, type Failure, fromSubgraph } from '../result/errors.js';
import {
  copyOf,
  isPlainObject,
  mergeInto,
  type MergeShape,
  shapeOf,
  withRenamedKey,
} from '../result/merge.js';
import type { CompiledPath, DataObject } from '../result/path.js';
import type { FetchBase, Rewrite } from '../planning/plan-format.js';
import { applyRewrite, keysOf, type NormalRewrite, readRewrite, renamePath } from './rewrite.js';
import { RunState } from './run-state.js';
import type { TypeRelations } from '../supergraph/type-relations.js';

/** One step of a compiled plan; rejects only when the client's signal aborts. */
export type Step = (state: RunState) => Promise<void>;

/** Context of a plan's compilation. */
export interface CompileContext extends Surroundings {
  readonly relations: TypeRelations;
  /** Planner's names of variables to the client's, where they differ. */
  readonly renamed: Readonly<Record<string, string>>;
  /** True if positions that share an entity's answer may be changed differently: each gets its own copy. */
  readonly copies: boolean;
  /** Filled during compilation: internal keys to the keys of the fetches that need them. */
  readonly dependents: Map<string, Set<string>>;
}

/** Changes to an answer before it is merged. */
export interface Reshaping {
  readonly shape: MergeShape;
  readonly rewrites: readonly NormalRewrite[];
  /** Internal keys of the answer to the client's. */
  readonly renames: ReadonlyMap<string, string>;
}

/** Compiles the output rewrites of a fetch together with the shape of its answer. */
export function compileReshaping(
  shape: MergeShape,
  outputRewrites: readonly Rewrite[] | undefined,
): Reshaping {
  const rewrites = (outputRewrites ?? []).map(readRewrite);
  const renames = new Map<string, string>();
  let renamedShape = shape;
  for (const rewrite of rewrites) {
    if (rewrite.change.kind !== 'rename') continue;
    const keys = keysOf(rewrite);
    const last = keys[keys.length - 1];
    if (last !== undefined) renames.set(last, rewrite.change.to);
    renamedShape = withRenamedKey(renamedShape, keys, rewrite.change.to);
  }
  return { shape: renamedShape, rewrites, renames };
}

/** Compiled root fetch, also used for the events of a subscription. */
export interface RootFetch {
  readonly call: CompiledCall;
  readonly shape: MergeShape;
  /** True if answers are changed before they are merged. */
  readonly reshapes: boolean;
  /** Merges an answer into the state. */
  deliver(state: RunState, result: SubgraphResult): void;
  /** Records that there is no answer. */
  failed(state: RunState, error: EngineError): void;
}

/** Compiles a fetch of root fields. */
export function compileRootFetch(
  fetch: FetchBase & { readonly outputRewrites?: readonly Rewrite[] | undefined },
  context: CompileContext,
): RootFetch {
  const call = compileCall(fetch, context.renamed, context);
  const reshaping = compileReshaping(
    shapeOf([call.definition.selectionSet], call.fragments),
    fetch.outputRewrites,
  );
  const fields = new Set(reshaping.shape.fields.keys());
  const failed = (
    state: RunState,
    error: EngineError,
    { reported = 'once', isOwn }: Partial<Pick<Failure, 'reported' | 'isOwn'>> = {},
  ): void => state.fail(state.data, { error, fields, fetch: { paths: 0 }, reported, isOwn });
  return {
    call,
    shape: reshaping.shape,
    reshapes: reshaping.rewrites.length > 0,
    failed,
    deliver: (state, result) => {
      const { data, errors } = result;
      if (errors && errors.length > 0) rootErrors(state, errors, call, reshaping, failed);
      if (isPlainObject(data)) {
        for (const rewrite of reshaping.rewrites) applyRewrite(data, rewrite, context.relations);
        mergeRoot(state, data, reshaping.shape);
      } else if (!errors || errors.length === 0) {
        failed(state, badAnswer(call.operation.subgraph, 'answered without data', state.context));
      } else {
        // A non-null field in the subgraph nulled all the others.
        for (const error of errors)
          if (error.path?.length)
            failed(state, fromSubgraph(error, call.operation.subgraph, state.context), {
              reported: 'if left',
            });
      }
    },
  };
}

function mergeRoot(state: RunState, data: Record<string, unknown>, shape: MergeShape): void {
  if (state.answered) {
    mergeInto(state.data, data, shape);
    return;
  }
  // The failures recorded so far belong to the empty object that is replaced.
  const failures = state.failures?.get(state.data);
  state.data = data;
  state.answered = true;
  for (const failure of failures ?? []) state.fail(data, failure);
}

function rootErrors(
  state: RunState,
  errors: readonly SubgraphError[],
  { operation }: CompiledCall,
  reshaping: Reshaping,
  failed: (state: RunState, error: EngineError, how: Pick<Failure, 'isOwn'>) => void,
): void {
  for (const error of errors) {
    const shaped = fromSubgraph(error, operation.subgraph, state.context);
    if (error.path && error.path.length > 0) {
      state.errors.push({ ...shaped, path: renamePath(error.path, reshaping.renames) });
    } else {
      failed(state, shaped, { isOwn: true });
    }
  }
}

/** The step of a root fetch. */
export function rootFetchStep(fetch: RootFetch): Step {
  return async (state) => {
    const { call } = fetch;
    const outcome = await send(call, state.context, variablesOf(call, state.context));
    if (!outcome.ok) fetch.failed(state, outcome.error);
    else if (!isPlainObject(outcome.result)) {
      fetch.failed(state, badAnswer(call.operation.subgraph, 'answered no GraphQL response', state.context));
    } else fetch.deliver(state, outcome.result);
  };
}

/**
 * The step of a fetch of root fields below the root: a type may have a field of the query type. The same
 * answer is merged into each object on the path, and nothing is fetched if there is none.
 */
export function locatedRootFetchStep(
  fetch: FetchBase & { readonly outputRewrites?: readonly Rewrite[] | undefined },
  path: CompiledPath,
  context: CompileContext,
): Step {
  const root = compileRootFetch(fetch, context);
  return async (state) => {
    const targets: DataObject[] = [];
    path.collect(state.data, (target) => targets.push(target));
    if (targets.length === 0) return;
    // Runs as a root fetch; then the data is moved to its path.
    const alone = new RunState(state.context);
    await rootFetchStep(root)(alone);
    path.locate(state.data, (_target, place) => {
      for (const error of alone.errors)
        state.errors.push({ ...error, path: [...place, ...(error.path ?? [])] });
    });
    for (const target of targets) {
      mergeInto(target, copyOf(alone.data, root.shape) as DataObject, root.shape);
      for (const failure of alone.failures?.get(alone.data) ?? []) state.fail(target, failure);
    }
  };
}

/** The root selection with a response key, for the shape of one `_entities` field of a batch. */
export function rootSelection(call: CompiledCall, responseKey: string): SelectionNode | undefined {
  return call.definition.selectionSet.selections.find(
    (node) => node.kind === Kind.FIELD && (node.alias?.value ?? node.name.value) === responseKey,
  );
}
