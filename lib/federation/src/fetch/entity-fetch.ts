import { Kind } from 'graphql';
import type { SubgraphError, SubgraphResult } from '../transport/transport.js';
import { type CompiledCall, compileCall, type Representations, send, variablesOf } from './call.js';
import {
  badAnswer,
  type EngineError,
  type FailedFetch,
  type Failure,
  fromSubgraph,
} from '../result/errors.js';
import {
  type CompileContext,
  compileReshaping,
  type Reshaping,
  rootSelection,
  type Step,
} from './root-fetch.js';
import { KnownEntities } from './known-entities.js';
import { copyOf, isPlainObject, mergeInto, shapeOf } from '../result/merge.js';
import { type CompiledPath, compilePath, type DataObject, type ResponsePath } from '../result/path.js';
import type { EntityBatchAlias, FetchBase, RequiresNode } from '../planning/plan-format.js';
import { compileRequires, type Representer } from './requires.js';
import { applyRewrite, renamePath } from './rewrite.js';
import type { RunState } from './run-state.js';
import type { TypeRelations } from '../supergraph/type-relations.js';

/** One `_entities` field of an operation and the paths whose objects it completes. */
interface EntityPart {
  readonly responseKey: string;
  readonly variable: string;
  readonly paths: readonly CompiledPath[];
  readonly representer: Representer;
  readonly reshaping: Reshaping;
  readonly fields: ReadonlySet<string>;
  readonly copies: boolean;
}

/** Distinct entities of a part in one run. */
interface Collected {
  readonly part: EntityPart;
  /** Representations in the wire format; one for each group. */
  readonly representations: unknown[];
  /** Objects that each representation stands for. */
  readonly groups: DataObject[][];
}

/** Compiles a fetch of entities: one part for a Flatten, one for each alias of a BatchFetch. */
export function compileEntityFetch(
  fetch: FetchBase,
  aliases: readonly EntityBatchAlias[],
  context: CompileContext,
): Step {
  const representationVariables = new Set(aliases.map((alias) => alias.representationsVariableName));
  const call = compileCall(
    { ...fetch, variableUsages: fetch.variableUsages?.filter((name) => !representationVariables.has(name)) },
    context.renamed,
    context,
    fetch,
  );
  const parts = aliases.map((alias) => compilePart(alias, call, context));
  return async (state) => {
    const collected = parts.map((part) => collect(part, state, call.transport.wire));
    if (collected.every(({ groups }) => groups.length === 0)) return;
    const representations: Representations = collected.map(({ part, representations: list }) => ({
      variable: part.variable,
      list,
    }));
    const outcome = await send(
      call,
      state.context,
      variablesOf(call, state.context, representations),
      representations,
    );
    if (!outcome.ok) failAll(collected, state, outcome.error);
    else if (!isPlainObject(outcome.result)) {
      failAll(
        collected,
        state,
        badAnswer(call.operation.subgraph, 'answered no GraphQL response', state.context),
      );
    } else deliver(call, collected, state, outcome.result, context.relations);
  };
}

function compilePart(alias: EntityBatchAlias, call: CompiledCall, context: CompileContext): EntityPart {
  const selection = rootSelection(call, alias.alias);
  const set = selection?.kind === Kind.FIELD ? selection.selectionSet : undefined;
  if (!set) throw new Error(`the planner's operation has no field ${alias.alias}`);
  const reshaping = compileReshaping(shapeOf([set], call.fragments), alias.outputRewrites);
  const paths = alias.paths.map((path) => compilePath(path, context.relations));
  const fields = new Set(reshaping.shape.fields.keys());
  addDependents(alias.requires, fields, context.dependents);
  return {
    responseKey: alias.alias,
    variable: alias.representationsVariableName,
    paths,
    representer: compileRequires(alias.requires, alias.inputRewrites, context.relations),
    reshaping,
    fields,
    copies: context.copies,
  };
}

function addDependents(
  requires: readonly RequiresNode[],
  fields: ReadonlySet<string>,
  dependents: CompileContext['dependents'],
): void {
  for (const node of requires) {
    if (node.kind === 'InlineFragment') {
      addDependents(node.selections, fields, dependents);
      continue;
    }
    const known = dependents.get(node.name);
    if (!known) dependents.set(node.name, new Set(fields));
    else for (const field of fields) known.add(field);
  }
}

function collect(part: EntityPart, state: RunState, wire: 'text' | 'objects'): Collected {
  const collected = { part, representations: [], groups: [] };
  // Each event has its own entities, even if another event of the batch is about the same ones.
  for (const one of state.parts) collectFrom(one, collected, wire);
  return collected;
}

function collectFrom(
  state: RunState,
  { part, representations, groups }: Collected,
  wire: 'text' | 'objects',
): void {
  const known = new KnownEntities();
  const { representer } = part;
  const { conditions } = state.context;
  const textOf = (entity: DataObject): string | undefined =>
    // A key that a failed fetch did not return must not be taken for a missing entity.
    representer.text(entity, conditions, state.isIncomplete(entity));
  const found = (entity: DataObject): void => {
    const plain = representer.plainType(entity);
    const value = plain && entity[plain.only];
    const isPlain = typeof value === 'string';
    const text = isPlain ? value : textOf(entity);
    if (text === undefined) return;
    const indexOf = known.ofType(isPlain ? plain?.name : undefined);
    const index = indexOf.get(text);
    if (index !== undefined) {
      groups[index]?.push(entity);
      return;
    }
    indexOf.set(text, groups.length);
    groups.push([entity]);
    representations.push(wire === 'text' ? textOf(entity) : representer.object(entity, conditions));
  };
  for (const path of part.paths) path.collect(state.data, found);
}

/** `each`: an error that the subgraph itself reports for one entity appears at each of its fields. */
function failAll(
  collected: readonly Collected[],
  state: RunState,
  error: EngineError,
  { reported = 'once', isOwn }: Partial<Pick<Failure, 'reported' | 'isOwn'>> = {},
): void {
  const fetch: FailedFetch = { paths: 0 };
  for (const { part, groups } of collected) {
    const failure: Failure = { error, fields: part.fields, fetch, reported, isOwn };
    for (const group of groups) for (const entity of group) state.fail(entity, failure);
  }
}

function deliver(
  call: CompiledCall,
  collected: readonly Collected[],
  state: RunState,
  { data, errors }: SubgraphResult,
  relations: TypeRelations,
): void {
  const failed = errors && errors.length > 0 ? entityErrors(call, collected, state, errors, data) : undefined;
  for (const one of collected) {
    if (one.groups.length === 0) continue;
    const list = data?.[one.part.responseKey];
    if (Array.isArray(list)) mergeEntities(call, one, state, list, relations);
    else if (!failed?.has(one)) {
      failAll([one], state, badAnswer(call.operation.subgraph, 'answered without entities', state.context));
    }
  }
}

function mergeEntities(
  call: CompiledCall,
  { part, groups }: Collected,
  state: RunState,
  list: readonly unknown[],
  relations: TypeRelations,
): void {
  const { shape, rewrites } = part.reshaping;
  if (list.length < groups.length) {
    const what = `answered ${list.length} entities of ${groups.length}`;
    const missing = groups.slice(list.length);
    const error = badAnswer(call.operation.subgraph, what, state.context);
    failAll([{ part, groups: missing, representations: [] }], state, error);
  }
  const count = Math.min(list.length, groups.length);
  const unfit: DataObject[][] = [];
  for (let index = 0; index < count; index++) {
    const entity = list[index];
    const group = groups[index];
    if (!group) continue;
    if (!isPlainObject(entity)) {
      if (entity !== null && entity !== undefined) unfit.push(group);
      else for (const target of group) state.leaveIncomplete(target);
      continue;
    }
    for (const rewrite of rewrites) applyRewrite(entity, rewrite, relations);
    for (let place = 0; place < group.length; place++) {
      const target = group[place];
      const source = part.copies && place > 0 ? (copyOf(entity, shape) as DataObject) : entity;
      if (target) mergeInto(target, source, shape, relations);
    }
  }
  if (unfit.length === 0) return;
  const error = badAnswer(call.operation.subgraph, 'answered an entity that is no object', state.context);
  failAll([{ part, groups: unfit, representations: [] }], state, error);
}

/**
 * Reports the errors of an answer at the paths of the entities; returns the parts that they leave without
 * data.
 */
function entityErrors(
  call: CompiledCall,
  collected: readonly Collected[],
  state: RunState,
  errors: readonly SubgraphError[],
  data: SubgraphResult['data'],
): Set<Collected> {
  const failed = new Set<Collected>();
  const places = new Map<Collected, ReadonlyMap<object, readonly EntityPath[]>>();
  for (const error of errors) {
    const shaped = fromSubgraph(error, call.operation.subgraph, state.context);
    const [responseKey, index, ...rest] = error.path ?? [];
    const part = collected.find((one) => one.part.responseKey === responseKey);
    const group = typeof index === 'number' ? part?.groups[index] : undefined;
    if (!part || !group) {
      // The error names no entity: it is about the whole field, or the whole answer.
      const concerned = part ? [part] : collected;
      failAll(concerned, state, shaped, { isOwn: true });
      for (const one of concerned) failed.add(one);
      continue;
    }
    const one: Collected = { part: part.part, groups: [group], representations: [] };
    if (rest.length === 0) failAll([one], state, shaped, { reported: 'each', isOwn: true });
    else if (isLost(data, part, index as number)) failAll([one], state, shaped, { reported: 'if left' });
    if (rest.length === 0) continue;
    let found = places.get(part);
    if (!found) {
      found = pathsOf(part, state);
      places.set(part, found);
    }
    reportAtPaths(state, shaped, group, found, renamePath(rest, part.part.reshaping.renames));
  }
  return failed;
}

/** True if a non-null field in the subgraph nulled its whole entity. */
function isLost(data: SubgraphResult['data'], { part }: Collected, index: number): boolean {
  const list = data?.[part.responseKey];
  return Array.isArray(list) && !isPlainObject(list[index]);
}

function reportAtPaths(
  state: RunState,
  error: EngineError,
  group: readonly DataObject[],
  places: ReadonlyMap<object, readonly EntityPath[]>,
  rest: ResponsePath,
): void {
  let reported = 0;
  for (const entity of group) {
    for (const place of places.get(entity) ?? []) {
      if (reported++ >= state.context.errorsPerFetch) return;
      place.of.errors.push({ ...error, path: [...place.path, ...rest] });
    }
  }
}

/** Locations of the objects of a part: computed only if there is an error to report. */
function pathsOf({ part, groups }: Collected, state: RunState): ReadonlyMap<object, readonly EntityPath[]> {
  const wanted = new Set<object>(groups.flat());
  const places = new Map<object, EntityPath[]>();
  for (const of of state.parts) {
    for (const each of part.paths) {
      each.locate(of.data, (entity, path) => {
        if (!wanted.has(entity)) return;
        const known = places.get(entity);
        if (known) known.push({ of, path });
        else places.set(entity, [{ of, path }]);
      });
    }
  }
  return places;
}

/** Path of an object, and the data it belongs to. */
interface EntityPath {
  readonly of: RunState;
  readonly path: ResponsePath;
}
