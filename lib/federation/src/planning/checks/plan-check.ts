import { Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';
import { guards } from '../guards.js';
import { ResponseKeyConflicts, meaningOf } from './response-key-conflicts.js';
import { missingTypeConditions } from './missing-type-conditions.js';
import { entitySets, fieldsOf, keyOf, operationOf, renamesOf } from './located-fetch.js';
import { namedTypeOf, shapeIn, type SupergraphModel } from '../fallback/graph.js';
import { type LocatedFetch, locatedFetchesOf, type PlanNode, type RequiresNode } from '../plan-format.js';

/**
 * What is known to be wrong with a plan although it looks right; undefined if nothing is. Strict where it cannot tell:
 * a plan that is refused without need is made by the fallback planner, and right.
 */
export function faultOf(
  node: PlanNode | null,
  operation: OperationDefinitionNode,
  model: SupergraphModel,
): string | undefined {
  const keys = new ResponseKeyConflicts();
  const brought = new ResponseKeyConflicts();
  keys.note([], [operation.selectionSet], new Map());
  if (hasOrphan(node)) return guards['unused-alias'].fault;
  for (const placed of locatedFetchesOf(node)) {
    if (hasShapeClash(placed, model)) return guards['conflicting-fields'].fault;
    if (lacksKeys(placed, brought)) return guards['missing-keys'].fault;
    noteFetch(placed, brought);
    noteFetch(placed, keys);
    if (keys.clash) return `${guards['merged-fields'].fault}: ${keys.clash}`;
  }
  if ([...locatedFetchesOf(node)].some((placed) => readsRenamedKey(placed, keys, model)))
    return guards['wrong-required-field'].fault;
  const path = missingTypeConditions(node, operation, model);
  return path === undefined ? undefined : `${guards['missing-type-conditions'].fault}: ${path}`;
}

/** Whether a representation needs what no earlier fetch has brought to its place: then it is never sent, and nobody is told. */
function lacksKeys({ parts }: LocatedFetch, brought: ResponseKeyConflicts): boolean {
  return parts.some(({ paths, requires }) =>
    paths.some((path) =>
      requiredKeys(requires ?? []).some(
        ({ key }) => brought.meaningsOf([...fieldsOf(path), key]).length === 0,
      ),
    ),
  );
}

/** What a service requires with arguments must not be taken from the key of the same field with others. */
function readsRenamedKey(placed: LocatedFetch, keys: ResponseKeyConflicts, model: SupergraphModel): boolean {
  if (placed.parts.every(({ requires }) => !requires)) return false;
  const operation = operationOf(placed);
  const graph = graphOf(model, placed);
  if (graph === undefined || !operation) return false;
  return placed.parts.some(({ alias, paths, requires }) => {
    const wanted = new Map<string, string>();
    for (const set of entitySets(operation, alias ?? '')) noteRequired(model, graph, set, '', wanted);
    return paths.some((path) =>
      requiredKeys(requires ?? []).some(({ key, name }) => {
        const meanings = keys.meaningsOf([...fieldsOf(path), key]);
        return meanings.length > 0 && !meanings.includes(wanted.get(name) ?? `${name}()`);
      }),
    );
  });
}

/** The fields that those selected require, as they are written in the schema. */
function noteRequired(
  model: SupergraphModel,
  graph: string,
  set: SelectionSetNode,
  type: string,
  wanted: Map<string, string>,
): void {
  for (const node of set.selections) {
    if (node.kind === Kind.INLINE_FRAGMENT)
      noteRequired(model, graph, node.selectionSet, node.typeCondition?.name.value ?? type, wanted);
    if (node.kind !== Kind.FIELD) continue;
    const joins = model.types.get(type)?.fields.get(node.name.value)?.joins;
    for (const required of joins?.find((join) => join.graph === graph)?.requires?.selections ?? []) {
      if (required.kind === Kind.FIELD) wanted.set(required.name.value, meaningOf(required));
    }
  }
}

/** The top of a representation: the key in the data and the name that the service knows it by. */
function requiredKeys(nodes: readonly RequiresNode[]): { readonly key: string; readonly name: string }[] {
  return nodes.flatMap((node) => {
    if (node.kind === 'InlineFragment') return requiredKeys(node.selections);
    return node.name === '__typename' ? [] : [{ key: node.name, name: node.alias ?? node.name }];
  });
}

function graphOf(model: SupergraphModel, { fetch }: LocatedFetch): string | undefined {
  return [...model.serviceNames].find(([, name]) => name === fetch.serviceName)?.[0];
}

/**
 * A field that had to give way to the client's gets a name of its own: it must be renamed when it has come, or be what
 * a fetch at its place requires. Names are used again in other fetches.
 */
function hasOrphan(node: PlanNode | null): boolean {
  const fetches = [...locatedFetchesOf(node)];
  return fetches.some(({ fetch, parts }) => {
    const renamed = JSON.stringify(parts.map(({ outputRewrites }) => outputRewrites ?? []));
    const keys = new Set(fetch.operation.match(internalKey));
    return [...keys].some(
      (key) => !renamed.includes(`{"Key":"${key}"}`) && !isRequired(key, pathsOf(parts), fetches),
    );
  });
}

function isRequired(key: string, places: readonly string[], fetches: readonly LocatedFetch[]): boolean {
  return fetches.some(({ parts }) =>
    parts.some(
      (part) =>
        JSON.stringify(part.requires ?? []).includes(`"name":"${key}"`) &&
        pathsOf([part]).some((other) => places.some((one) => one.startsWith(other) || other.startsWith(one))),
    ),
  );
}

function pathsOf(parts: LocatedFetch['parts']): string[] {
  return parts.flatMap(({ paths }) =>
    paths.map((path) =>
      fieldsOf(path)
        .map((name) => `${name}.`)
        .join(''),
    ),
  );
}

const internalKey = /_internal_qp_alias_\d+/g;

function noteFetch(placed: LocatedFetch, keys: ResponseKeyConflicts): void {
  const operation = operationOf(placed);
  if (!operation) return;
  const { parts } = placed;
  for (const part of parts) {
    const { alias, paths } = part;
    const renames = renamesOf(part);
    const sets = alias === undefined ? [operation.selectionSet] : entitySets(operation, alias);
    for (const path of paths) keys.note(fieldsOf(path), sets, renames);
  }
}

/** Whether a subgraph would refuse an operation because fields of one key have different types there. */
function hasShapeClash(placed: LocatedFetch, model: SupergraphModel): boolean {
  const { operation: text } = placed.fetch;
  // Only where types meet can a key stand for two fields.
  if (!text.includes('...')) return false;
  const graph = graphOf(model, placed);
  const operation = operationOf(placed);
  if (graph === undefined || !operation) return false;
  const root = model.roots[operation.operation];
  return clashes(model, graph, [{ typeName: root, set: operation.selectionSet }]);
}

interface TypedSet {
  readonly typeName: string;
  readonly set: SelectionSetNode;
}

function clashes(model: SupergraphModel, graph: string, sets: readonly TypedSet[]): boolean {
  const shapes = new Map<string, string>();
  const below = new Map<string, TypedSet[]>();
  const gather = ({ typeName, set }: TypedSet): boolean =>
    set.selections.some((node) => {
      if (node.kind === Kind.INLINE_FRAGMENT) {
        return gather({ typeName: node.typeCondition?.name.value ?? typeName, set: node.selectionSet });
      }
      if (node.kind !== Kind.FIELD) return false;
      const key = keyOf(node);
      const shape = shapeIn(model, graph, typeName, node.name.value);
      const known = shapes.get(key);
      if (shape !== undefined && known !== undefined && known !== shape) return true;
      if (shape !== undefined) shapes.set(key, shape);
      if (node.selectionSet) {
        const childType = model.types.get(typeName)?.fields.get(node.name.value)?.type;
        const list = below.get(key) ?? [];
        list.push({ typeName: childType ? namedTypeOf(childType) : '', set: node.selectionSet });
        below.set(key, list);
      }
      return false;
    });
  return sets.some(gather) || [...below.values()].some((inner) => clashes(model, graph, inner));
}
