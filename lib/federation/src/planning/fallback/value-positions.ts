import type { TypeNode } from 'graphql';
import type { PathSegment } from '../plan-format.js';
import type { FetchBuilder } from './fetch-builder.js';
import { type GraphField, listDepth, namedTypeOf } from './graph.js';
import type { SelectionBuilder } from './group.js';
import type { InsertionPoint, Presence } from './insertion-point.js';
import { type Navigator, providedBelow } from './vertex.js';

/** Position of the values of a field: their path and, for abstract types, their concrete types. */
export class ValuePositions {
  readonly #navigator: Navigator;
  readonly #fetches: FetchBuilder;

  constructor(navigator: Navigator, fetches: FetchBuilder) {
    this.#navigator = navigator;
    this.#fetches = fetches;
  }

  /** Positions of the values of a field: one, or one for each concrete type. */
  of(
    place: InsertionPoint,
    { key, name }: { readonly key: string; readonly name: string },
    { type }: GraphField,
    presence: Presence,
    builder: SelectionBuilder,
  ): InsertionPoint[] {
    const typeName = namedTypeOf(type);
    const graphType = this.#navigator.type(typeName);
    const { graph } = presence.vertex;
    const segments = segmentsOf(key, type);
    const join = this.#navigator.resolves(presence.vertex, name, presence.provided);
    const below = providedBelow(presence.provided, name, join?.provides);
    const arrive = (child: InsertionPoint, at: SelectionBuilder): InsertionPoint => {
      const vertex = this.#navigator.vertexIn(child.typeName, graph);
      if (vertex && !child.presences.has(vertex.id)) {
        const provided = this.#navigator.providedFor(below, child.typeName);
        child.presences.set(vertex.id, { group: presence.group, vertex, builder: at, provided });
      }
      return child;
    };
    if (!graphType || graphType.kind === 'object')
      return [arrive(place.child(key, segments, typeName), builder)];
    builder.asksTypename = true;
    if (graphType.graphs.get(graph)?.isInterfaceObject) {
      const child = arrive(place.child(key, segments, typeName), builder);
      return this.#concretePositions(place, key, segments, typeName, child);
    }
    return this.#membersIn(graph, join?.type?.replace(/[[\]!]/g, '') ?? typeName).map((member) =>
      arrive(place.child(key, [...segments, { TypeCondition: [member] }], member), builder.onType(member)),
    );
  }

  /** Object types that a subgraph may return for a type; its own type may be narrower than the public one. */
  #membersIn(graph: string, typeName: string): readonly string[] {
    const type = this.#navigator.type(typeName);
    return type?.kind === 'object' ? [typeName] : (type?.members.get(graph) ?? []);
  }

  /** An interface object does not know its types: a subgraph that has the interface is called first. */
  #concretePositions(
    parent: InsertionPoint,
    key: string,
    segments: readonly PathSegment[],
    typeName: string,
    child: InsertionPoint,
  ): InsertionPoint[] {
    const type = this.#navigator.type(typeName);
    const here = [...child.presences.values()].map(({ vertex }) => vertex);
    const home = [...this.#navigator.reach(typeName, here).values()].find(
      ({ vertex }) => vertex.as === typeName && !type?.graphs.get(vertex.graph)?.isInterfaceObject,
    );
    const presence = home && this.#fetches.enter(child, home.vertex);
    if (!presence) return [child];
    presence.builder.asksTypename = true;
    return (type?.members.get(presence.vertex.graph) ?? []).map((member) => {
      const place = parent.child(key, [...segments, { TypeCondition: [member] }], member);
      const vertex = this.#navigator.vertexIn(member, presence.vertex.graph);
      if (vertex && !place.presences.has(vertex.id)) {
        place.presences.set(vertex.id, {
          group: presence.group,
          vertex,
          builder: presence.builder.onType(member),
          provided: undefined,
        });
      }
      return place;
    });
  }
}

function segmentsOf(key: string, type: TypeNode): PathSegment[] {
  return [{ Field: key }, ...Array.from({ length: listDepth(type) }, () => '@' as const)];
}
