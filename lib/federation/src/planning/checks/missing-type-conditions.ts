import { Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';
import { entitySets, fieldsOf, keyOf, operationOf, renamesOf } from './located-fetch.js';
import { type PathSegment, locatedFetchesOf, type PlanNode, type RequiresNode } from '../plan-format.js';
import { namedTypeOf, type SupergraphModel } from '../fallback/graph.js';
import { objectTypesOf } from '../fallback/object-types.js';

/**
 * The path of a field that a plan fetches for only some of the types it is selected on; undefined if there is
 * none. A fetch of an interface object may stand for several types of the interface and yet be sent for
 * objects of only one of them: the others would lack the field, without an error.
 */
export function missingTypeConditions(
  node: PlanNode | null,
  operation: OperationDefinitionNode,
  model: SupergraphModel,
): string | undefined {
  const fetches = [...locatedFetchesOf(node)];
  // Only interface objects are fetched under another type name.
  if (!fetches.some(({ parts }) => parts.some(({ inputRewrites }) => inputRewrites?.length)))
    return undefined;
  const types = new TypesOfKeys(model);
  for (const located of fetches) {
    const asked = operationOf(located);
    if (!asked) continue;
    for (const part of located.parts) {
      const renames = renamesOf(part);
      if (part.alias === undefined) {
        types.addFields({ path: [], sets: [asked.selectionSet], types: undefined, renames });
        continue;
      }
      for (const path of part.paths)
        types.addFields({
          path: fieldsOf(path),
          sets: entitySets(asked, part.alias).map(withoutConditions),
          types: askedTypes(path, part.requires ?? [], model),
          renames,
        });
    }
  }
  return types.leftOut(operation);
}

/** Concrete types of the objects that are sent; undefined for all. */
function askedTypes(
  path: readonly PathSegment[],
  requires: readonly RequiresNode[],
  model: SupergraphModel,
): readonly string[] | undefined {
  const names = requires.flatMap((node) => (node.kind === 'InlineFragment' ? [node.typeCondition] : []));
  if (names.every((name) => model.types.get(name)?.kind === 'object')) return names;
  const last = path.at(-1);
  return typeof last === 'object' && 'TypeCondition' in last ? last.TypeCondition : undefined;
}

/**
 * Selections of an entity, whatever its type name in the fetch: the type was checked when the fetch was
 * selected.
 */
function withoutConditions({ kind, selections }: SelectionSetNode): SelectionSetNode {
  return {
    kind,
    selections: selections.flatMap((node) =>
      node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet.selections : [node],
    ),
  };
}

/** Data that one part of a fetch adds at one path. */
interface BroughtFields {
  readonly path: readonly string[];
  /** Selections at the path, without fragments on it. */
  readonly sets: readonly SelectionSetNode[];
  /** Concrete types of the objects it is requested for; undefined for all. */
  readonly types: readonly string[] | undefined;
  /** Key in the data by the key in the answer, where they differ. */
  readonly renames: ReadonlyMap<string, string>;
}

/** Types for which each key is fetched at a path. */
class TypesOfKeys {
  readonly #model: SupergraphModel;
  /** By path and key: the types it is fetched for; undefined for all. */
  readonly #types = new Map<string, Set<string> | undefined>();

  constructor(model: SupergraphModel) {
    this.#model = model;
  }

  addFields({ path, sets, types, renames }: BroughtFields): void {
    for (const { selections } of sets)
      for (const node of selections) {
        if (node.kind === Kind.INLINE_FRAGMENT) {
          const own = node.typeCondition ? this.#concrete(node.typeCondition.name.value) : undefined;
          this.addFields({ path, sets: [node.selectionSet], types: types ?? own, renames });
        } else if (node.kind === Kind.FIELD) {
          const key = keyOf(node);
          const place = [...path, renames.get(key) ?? key];
          this.#add(place.join('.'), types);
          if (node.selectionSet)
            this.addFields({ path: place, sets: [node.selectionSet], types: undefined, renames });
        }
      }
  }

  /**
   * Path of a field that is not fetched for all the types on which the operation, with inlined fragments,
   * selects it.
   */
  leftOut({ operation, selectionSet }: OperationDefinitionNode): string | undefined {
    const root = this.#model.roots[operation];
    return this.#leftOutBelow([], selectionSet, root, undefined);
  }

  #leftOutBelow(
    path: readonly string[],
    { selections }: SelectionSetNode,
    typeName: string,
    narrowed: readonly string[] | undefined,
  ): string | undefined {
    for (const node of selections) {
      let found: string | undefined;
      if (node.kind === Kind.INLINE_FRAGMENT) {
        const condition = node.typeCondition?.name.value ?? typeName;
        const met = this.#concrete(condition);
        const types = narrowed ? narrowed.filter((name) => met.includes(name)) : met;
        found = this.#leftOutBelow(path, node.selectionSet, condition, types);
      } else if (node.kind === Kind.FIELD && node.name.value !== '__typename') {
        const place = [...path, keyOf(node)];
        const known = this.#types.get(place.join('.'));
        const types = narrowed ?? this.#concrete(typeName);
        if (known && types.some((name) => !known.has(name))) return place.join('.');
        const field = this.#model.types.get(typeName)?.fields.get(node.name.value);
        if (field && node.selectionSet)
          found = this.#leftOutBelow(place, node.selectionSet, namedTypeOf(field.type), undefined);
      }
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #add(place: string, types: readonly string[] | undefined): void {
    const known = this.#types.get(place);
    if (types === undefined) this.#types.set(place, undefined);
    else if (known) types.forEach((type) => known.add(type));
    else if (!this.#types.has(place)) this.#types.set(place, new Set(types));
  }

  #concrete(typeName: string): readonly string[] {
    return objectTypesOf(this.#model, typeName);
  }
}
