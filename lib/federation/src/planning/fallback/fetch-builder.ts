import { type FieldNode, Kind, type SelectionNode } from 'graphql';
import type { RequiresNode, Rewrite } from '../plan-format.js';
import { namedTypeOf, shapeIn, type SupergraphModel } from './graph.js';
import { type Group, SelectionBuilder } from './group.js';
import type { InsertionPoint, Presence } from './insertion-point.js';
import type { Entry, Navigator, Vertex } from './vertex.js';

/** Selects the type of an object in a representation. */
export const typenameNode: RequiresNode = { kind: 'Field', name: '__typename' };

/**
 * The fetches of a plan under construction: of roots, and of entities by the keys that other fetches return.
 */
export class FetchBuilder {
  readonly groups: Group[] = [];
  readonly #navigator: Navigator;
  readonly #model: SupergraphModel;

  constructor(model: SupergraphModel, navigator: Navigator) {
    this.#model = model;
    this.#navigator = navigator;
  }

  /** The fetch of a vertex at a position, created if needed together with those that return its key. */
  enter(place: InsertionPoint, vertex: Vertex): Presence | undefined {
    const known = place.presences.get(vertex.id);
    if (known) return known;
    if (this.isRoot(place)) return this.#root(place, vertex);
    const here = [...place.presences.values()].map(({ vertex }) => vertex);
    const entry = this.#navigator.reach(place.typeName, here).get(vertex.id);
    if (!entry) return undefined;
    const made = this.hop(place, entry, [], new Set());
    if (made) place.presences.set(vertex.id, made);
    return made;
  }

  /**
   * Root fields can be fetched from any subgraph; those of queries also where a type has a field of the query
   * type.
   */
  isRoot(place: InsertionPoint): boolean {
    return place.path.length === 0 || place.typeName === this.#model.roots.query;
  }

  #root(place: InsertionPoint, vertex: Vertex): Presence {
    const group: Group = {
      vertex,
      builder: new SelectionBuilder(),
      path: place.path.length === 0 ? undefined : place.path,
      requires: [],
      inputRewrites: [],
      needs: new Set(place.path.length === 0 ? [] : [...place.presences.values()].map(({ group }) => group)),
      isRoot: true,
    };
    this.groups.push(group);
    const presence: Presence = { group, vertex, builder: group.builder, provided: undefined };
    place.presences.set(vertex.id, presence);
    return presence;
  }

  /** A fetch of entities: the key comes from the fetch that has it, together with the `required` fields. */
  hop(
    place: InsertionPoint,
    entry: Entry,
    required: readonly RequiresNode[],
    waitFor: ReadonlySet<Group>,
  ): Presence | undefined {
    const { vertex, key, sources } = entry;
    const needs = new Set(waitFor);
    const nodes: RequiresNode[] = [typenameNode];
    for (const selection of key.selections) {
      if (selection.kind !== Kind.FIELD) return undefined;
      const source = sources.get(selection.name.value);
      const from = source && this.enter(place, source);
      if (!from) return undefined;
      needs.add(from.group);
      nodes.push(this.#keyField(place, from, selection));
    }
    nodes.push(...required);
    const builder = new SelectionBuilder();
    const inputRewrites: Rewrite[] =
      vertex.as === place.typeName
        ? []
        : [
            {
              ValueSetter: {
                path: [{ TypenameEquals: [place.typeName] }, { Key: '__typename' }],
                setValueTo: vertex.as,
              },
            },
          ];
    const group: Group = {
      vertex,
      builder,
      path: place.path,
      requires: [{ kind: 'InlineFragment', typeCondition: place.typeName, selections: nodes }],
      inputRewrites,
      needs,
      isRoot: false,
    };
    this.groups.push(group);
    return { group, vertex, builder: builder.onType(vertex.as), provided: undefined };
  }

  /** Selects a field of a key in a fetch that can resolve all of it. */
  #keyField(place: InsertionPoint, from: Presence, field: FieldNode): RequiresNode {
    const name = field.name.value;
    from.builder.asksTypename ||= from.vertex.as === place.typeName;
    const key = place.internalKey(name, []);
    const { graph, as } = from.vertex;
    const selections = this.#keyFields(from.builder, graph, as, [field], () => key)[0]?.selections;
    return {
      kind: 'Field',
      name: key,
      ...(key === name ? {} : { alias: name }),
      ...(selections ? { selections } : {}),
    };
  }

  /** Selects the fields of a key, and of its objects. */
  #keyFields(
    builder: SelectionBuilder,
    graph: string,
    typeName: string,
    fields: readonly SelectionNode[],
    keyOf: (name: string) => string,
  ): Extract<RequiresNode, { kind: 'Field' }>[] {
    return fields.flatMap((field) => {
      if (field.kind !== Kind.FIELD) return [];
      const name = field.name.value;
      const inner = field.selectionSet?.selections;
      const child = builder.field(keyOf(name), name, [], {
        isLeaf: !inner,
        shape: shapeIn(this.#model, graph, typeName, name),
      });
      const definition = this.#navigator.type(typeName)?.fields.get(name);
      const childType = definition ? namedTypeOf(definition.type) : '';
      const selections =
        inner && child ? this.#keyFields(child, graph, childType, inner, (one) => one) : undefined;
      return [{ kind: 'Field', name, ...(selections ? { selections } : {}) }];
    });
  }
}
