import { Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';
import { guards } from '../guards.js';
import { ResponseKeyConflicts, meaningOf } from './response-key-conflicts.js';
import { missingTypeConditions } from './missing-type-conditions.js';
import { entitySets, fieldsOf, keyOf, operationOf, renamesOf } from './located-fetch.js';
import { namedTypeOf, shapeIn, type SupergraphModel } from '../fallback/graph.js';
import { type LocatedFetch, locatedFetchesOf, type PlanNode, type RequiresNode } from '../plan-format.js';

/**
 * Known fault of a plan that looks right; undefined if there is none. Strict in case of doubt: if a plan is
 * rejected without need, the fallback planner creates a correct one.
 */
export function faultOf(
  node: PlanNode | null,
  operation: OperationDefinitionNode,
  model: SupergraphModel,
): string | undefined {
  const keys = new ResponseKeyConflicts();
  const brought = new ResponseKeyConflicts();
  keys.addFields([], [operation.selectionSet], new Map());
  if (hasOrphan(node)) return guards['unused-alias'].fault;
  for (const located of locatedFetchesOf(node)) {
    if (hasShapeClash(located, model)) return guards['conflicting-fields'].fault;
    if (lacksKeys(located, brought)) return guards['missing-keys'].fault;
    addFetch(located, brought);
    addFetch(located, keys);
    if (keys.clash) return `${guards['merged-fields'].fault}: ${keys.clash}`;
  }
  if ([...locatedFetchesOf(node)].some((located) => readsRenamedKey(located, keys, model)))
    return guards['wrong-required-field'].fault;
  const path = missingTypeConditions(node, operation, model);
  return path === undefined ? undefined : `${guards['missing-type-conditions'].fault}: ${path}`;
}

/**
 * True if a representation needs a field that no earlier fetch has brought to its path: it is never sent,
 * without any error.
 */
function lacksKeys({ parts }: LocatedFetch, brought: ResponseKeyConflicts): boolean {
  return parts.some(({ paths, requires }) =>
    paths.some((path) =>
      requiredKeys(requires ?? []).some(
        ({ key }) => brought.meaningsOf([...fieldsOf(path), key]).length === 0,
      ),
    ),
  );
}

/**
 * A field that a subgraph requires with arguments must not be taken from the key of the same field with other
 * arguments.
 */
function readsRenamedKey(located: LocatedFetch, keys: ResponseKeyConflicts, model: SupergraphModel): boolean {
  if (located.parts.every(({ requires }) => !requires)) return false;
  const operation = operationOf(located);
  const graph = graphOf(model, located);
  if (graph === undefined || !operation) return false;
  return located.parts.some(({ alias, paths, requires }) => {
    const wanted = new Map<string, string>();
    for (const set of entitySets(operation, alias ?? '')) addRequired(model, graph, set, '', wanted);
    return paths.some((path) =>
      requiredKeys(requires ?? []).some(({ key, name }) => {
        const meanings = keys.meaningsOf([...fieldsOf(path), key]);
        return meanings.length > 0 && !meanings.includes(wanted.get(name) ?? `${name}()`);
      }),
    );
  });
}

/** Fields that the selected ones require, as written in the schema. */
function addRequired(
  model: SupergraphModel,
  graph: string,
  set: SelectionSetNode,
  type: string,
  wanted: Map<string, string>,
): void {
  for (const node of set.selections) {
    if (node.kind === Kind.INLINE_FRAGMENT)
      addRequired(model, graph, node.selectionSet, node.typeCondition?.name.value ?? type, wanted);
    if (node.kind !== Kind.FIELD) continue;
    const joins = model.types.get(type)?.fields.get(node.name.value)?.joins;
    for (const required of joins?.find((join) => join.graph === graph)?.requires?.selections ?? []) {
      if (required.kind === Kind.FIELD) wanted.set(required.name.value, meaningOf(required));
    }
  }
}

/** Top level of a representation: the key in the data and the name that the subgraph uses. */
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
 * A field that conflicts with the client's gets an internal name: it must be renamed in the answer, or be
 * required by a fetch at its path. Other fetches use the same names again.
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

function addFetch(located: LocatedFetch, keys: ResponseKeyConflicts): void {
  const operation = operationOf(located);
  if (!operation) return;
  const { parts } = located;
  for (const part of parts) {
    const { alias, paths } = part;
    const renames = renamesOf(part);
    const sets = alias === undefined ? [operation.selectionSet] : entitySets(operation, alias);
    for (const path of paths) keys.addFields(fieldsOf(path), sets, renames);
  }
}

/** True if a subgraph would reject an operation because fields of one key have different types in it. */
function hasShapeClash(located: LocatedFetch, model: SupergraphModel): boolean {
  const { operation: text } = located.fetch;
  // A key can stand for two fields only in fragments on different types.
  if (!text.includes('...')) return false;
  const graph = graphOf(model, located);
  const operation = operationOf(located);
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
