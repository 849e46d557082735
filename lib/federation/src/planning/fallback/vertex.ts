import { Kind, type SelectionNode, type SelectionSetNode } from 'graphql';
import { type FieldInGraph, type GraphType, namedTypeOf, type SupergraphModel } from './graph.js';

/** A subgraph as one type sees it: under the type's own name, or under that of an interface object. */
export interface Vertex {
  readonly id: string;
  readonly graph: string;
  /** Name of the type in the subgraph. */
  readonly as: string;
  readonly keys: readonly SelectionSetNode[];
}

/** Returns which progressive overrides are on. */
export interface ActiveOverrides {
  isOn(label: string): boolean;
}

/** The way to enter a vertex: the key that is sent, and the vertices that its fields come from. */
export interface Entry {
  readonly vertex: Vertex;
  readonly hops: number;
  readonly key: SelectionSetNode;
  /** By the name of each top-level field of the key. */
  readonly sources: ReadonlyMap<string, Vertex>;
}

/** Determines which subgraph can resolve a field, and how to get from one subgraph to another. */
export class Navigator {
  readonly #model: SupergraphModel;
  readonly #overrides: ActiveOverrides;
  readonly #vertices = new Map<string, readonly Vertex[]>();

  constructor(model: SupergraphModel, overrides: ActiveOverrides) {
    this.#model = model;
    this.#overrides = overrides;
  }

  type(name: string): GraphType | undefined {
    return this.#model.types.get(name);
  }

  /** True if objects of a type match a type condition. */
  matches(typeName: string, condition: string): boolean {
    if (typeName === condition) return true;
    const type = this.type(condition);
    if (!type || type.kind === 'object') return false;
    return (
      this.type(typeName)?.interfaces.includes(condition) ||
      [...type.members.values()].some((members) => members.includes(typeName))
    );
  }

  /** All vertices of a type. */
  verticesOf(typeName: string): readonly Vertex[] {
    const known = this.#vertices.get(typeName);
    if (known) return known;
    const type = this.type(typeName);
    const made: Vertex[] = [];
    if (type) {
      for (const { graph, keys } of type.graphs.values()) made.push({ id: graph, graph, as: typeName, keys });
      for (const parent of type.interfaces) {
        for (const { graph, keys, isInterfaceObject } of this.type(parent)?.graphs.values() ?? []) {
          if (isInterfaceObject) made.push({ id: `${graph}/${parent}`, graph, as: parent, keys });
        }
      }
    }
    this.#vertices.set(typeName, made);
    return made;
  }

  /** Vertex of a type in a subgraph that has it under its own name. */
  vertexIn(typeName: string, graph: string): Vertex | undefined {
    return this.verticesOf(typeName).find((vertex) => vertex.id === graph);
  }

  /**
   * Facts about a field in a vertex, if the vertex can resolve it; `provided` are external fields included by
   * `@provides`.
   */
  resolves(vertex: Vertex, field: string, provided?: SelectionSetNode): FieldInGraph | undefined {
    const type = this.type(vertex.as);
    const definition = type?.fields.get(field);
    if (!type || !definition) return undefined;
    if (!definition.joins) return type.graphs.has(vertex.graph) ? plain(vertex.graph) : undefined;
    const join = definition.joins.find((one) => one.graph === vertex.graph && this.#isOn(one));
    if (!join) return undefined;
    if (!join.external || selects(provided, field)) return join;
    return undefined;
  }

  #isOn({ label, takesOver }: FieldInGraph): boolean {
    return label === undefined || this.#overrides.isOn(label) === takesOver;
  }

  /** The provided fields of a set for objects of a type, including those in fragments for the type. */
  providedFor(set: SelectionSetNode | undefined, typeName: string): SelectionSetNode | undefined {
    const flatten = (selections: readonly SelectionNode[]): SelectionNode[] =>
      selections.flatMap((one) => {
        if (one.kind !== Kind.INLINE_FRAGMENT) return [one];
        const condition = one.typeCondition?.name.value;
        const applies = condition === undefined || this.matches(typeName, condition);
        return applies ? flatten(one.selectionSet.selections) : [];
      });
    return set && { kind: Kind.SELECTION_SET, selections: flatten(set.selections) };
  }

  /** True if a vertex can resolve all fields of a set by itself. */
  resolvesSet(vertex: Vertex, set: SelectionSetNode): boolean {
    return set.selections.every((selection) => {
      if (selection.kind !== Kind.FIELD) return false;
      const name = selection.name.value;
      if (name === '__typename') return true;
      if (!this.resolves(vertex, name)) return false;
      if (!selection.selectionSet) return true;
      const definition = this.type(vertex.as)?.fields.get(name);
      const child = definition && this.vertexIn(namedTypeOf(definition.type), vertex.graph);
      return child !== undefined && this.resolvesSet(child, selection.selectionSet);
    });
  }

  /** All vertices that can be entered from the given ones, with the shortest way. */
  reach(typeName: string, from: readonly Vertex[]): ReadonlyMap<string, Entry> {
    const hops = new Map<string, { readonly vertex: Vertex; readonly hops: number }>();
    for (const vertex of from) hops.set(vertex.id, { vertex, hops: 0 });
    const entries = new Map<string, Entry>();
    for (let round = 1; ; round++) {
      const reached = [...hops.values()];
      const fresh: Entry[] = [];
      for (const vertex of this.verticesOf(typeName)) {
        if (hops.has(vertex.id)) continue;
        const entry = this.entryOf(
          vertex,
          reached.map((one) => one.vertex),
          round,
        );
        if (entry) fresh.push(entry);
      }
      if (fresh.length === 0) return entries;
      for (const entry of fresh) {
        hops.set(entry.vertex.id, entry);
        entries.set(entry.vertex.id, entry);
      }
    }
  }

  /** The way to enter a vertex from others in one hop. */
  entryOf(vertex: Vertex, from: readonly Vertex[], hops = 1): Entry | undefined {
    for (const key of vertex.keys) {
      const sources = new Map<string, Vertex>();
      const isKnown = key.selections.every((selection) => {
        if (selection.kind !== Kind.FIELD) return false;
        const part: SelectionSetNode = { kind: Kind.SELECTION_SET, selections: [selection] };
        const source = from.find((one) => this.resolvesSet(one, part));
        if (source) sources.set(selection.name.value, source);
        return source !== undefined;
      });
      if (isKnown) return { vertex, hops, key, sources };
    }
    return undefined;
  }
}

function plain(graph: string): FieldInGraph {
  return {
    graph,
    requires: undefined,
    provides: undefined,
    type: undefined,
    external: false,
    label: undefined,
    takesOver: false,
  };
}

function selects(set: SelectionSetNode | undefined, field: string): boolean {
  return set?.selections.some((one) => one.kind === Kind.FIELD && one.name.value === field) ?? false;
}

/** Fields provided below a field, by itself and by the fields around it; fragments are kept. */
export function providedBelow(
  provided: SelectionSetNode | undefined,
  field: string,
  own: SelectionSetNode | undefined,
): SelectionSetNode | undefined {
  const selections = [...(own?.selections ?? [])];
  for (const one of provided?.selections ?? []) {
    if (one.kind === Kind.FIELD && one.name.value === field)
      selections.push(...(one.selectionSet?.selections ?? []));
  }
  return selections.length === 0 ? undefined : { kind: Kind.SELECTION_SET, selections };
}
