import {
  type ArgumentNode,
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';
import type { PathSegment, PlanNode, RequiresNode, Rewrite } from '../plan-format.js';
import { type GraphField, listDepth, namedTypeOf, shapeIn, type SupergraphModel } from './graph.js';
import { emitPlan } from './emit.js';
import { type Group, SelectionBuilder } from './group.js';
import { Place, type Presence, signatureOf } from './place.js';
import { type ActiveOverrides, type Entry, Navigator, providedBelow, type Vertex } from './vertex.js';

// A second planner, for what the first one fails at: it refuses some operations that have a plan, takes very long for
// some, and aborts its process on others. This one is simple: every field goes to the subgraph that is nearest, each
// place of the answer is looked at once for each concrete type, and nothing is optimised. Its plans may have more
// fetches than needed, and are right.

/** Plans a normalised operation. Throws where no subgraph can be asked for a field. */
export function planInReserve(
  model: SupergraphModel,
  overrides: ActiveOverrides,
  rootName: string,
  operation: OperationDefinitionNode,
): PlanNode | null {
  return new ReservePlanner(model, overrides, operation).plan(rootName);
}

/** What is to be fetched at a place: a field with everything that is selected below it. */
interface Wanted {
  readonly key: string;
  readonly name: string;
  readonly args: readonly ArgumentNode[];
}

/** What is wanted of the values of a field. */
interface Below {
  /** Plans it at a place of values; answers what could not be had there. */
  plan(place: Place): SelectionNode[];
  /** From now on only this is wanted, of another subgraph. */
  narrow(rest: SelectionNode[]): void;
}

class ReservePlanner {
  readonly #navigator: Navigator;
  readonly #model: SupergraphModel;
  readonly #operation: OperationDefinitionNode;
  readonly #groups: Group[] = [];

  constructor(model: SupergraphModel, overrides: ActiveOverrides, operation: OperationDefinitionNode) {
    this.#model = model;
    this.#navigator = new Navigator(model, overrides);
    this.#operation = operation;
  }

  plan(rootName: string): PlanNode | null {
    const root = new Place([], rootName);
    const left = this.#select(root, [this.#operation.selectionSet]);
    const [first] = left;
    if (first) throw new Error(`no service of the graph can be asked for ${rootName}.${describe(first)}`);
    return emitPlan(this.#groups, this.#operation, this.#model.serviceNames);
  }

  /** Plans a client's selections at a place; answers those that no subgraph within reach can resolve. */
  #select(place: Place, sets: readonly SelectionSetNode[]): SelectionNode[] {
    const fields = this.#collect(sets, place.typeName);
    place.reserve(new Map([...fields].map(([key, [node]]) => [key, signature(node)])));
    const left: SelectionNode[] = [];
    for (const [key, nodes] of fields) {
      const [node] = nodes;
      if (!node || node.name.value.startsWith('__')) continue;
      const wanted = { key, name: node.name.value, args: node.arguments ?? [] };
      const below = this.#clientBelow(nodes.flatMap(({ selectionSet }) => selectionSet ?? []));
      if (!this.#field(place, wanted, below)) continue;
      const rest = below.rest();
      left.push(
        rest.length === 0 ? node : { ...node, selectionSet: { kind: Kind.SELECTION_SET, selections: rest } },
      );
    }
    return left;
  }

  #clientBelow(selectionSets: readonly SelectionSetNode[]): Below & { rest(): SelectionNode[] } {
    let sets = selectionSets;
    return {
      plan: (place) => this.#select(place, sets),
      narrow: (rest) => {
        sets = [{ kind: Kind.SELECTION_SET, selections: rest }];
      },
      rest: () => sets.flatMap(({ selections }) => selections),
    };
  }

  /**
   * Puts a field into the fetch of the nearest subgraph that has it; what that one cannot resolve below the field is
   * asked of the next. Answers whether something is left.
   */
  #field(place: Place, wanted: Wanted, below: Below): boolean {
    const definition =
      this.#navigator.type(place.typeName)?.fields.get(wanted.name) ?? this.#addedField(place, wanted.name);
    if (!definition) return true;
    const type = this.#navigator.type(namedTypeOf(definition.type));
    const tried = new Set<string>();
    for (;;) {
      const presence = this.#nearest(place, wanted.name, tried);
      if (!presence) return true;
      const { vertex } = presence;
      tried.add(vertex.id);
      const builder = presence.builder.field(wanted.key, wanted.name, wanted.args, {
        isLeaf: !type,
        shape: shapeIn(this.#model, vertex.graph, vertex.as, wanted.name),
      });
      if (!type || !builder) return false;
      const values = this.#values(place, wanted, definition, presence, builder);
      const left = values.flatMap((child) => wrap(child, below.plan(child)));
      if (left.length === 0) return false;
      below.narrow(left);
    }
  }

  /** A field that an interface object adds may be unknown to the type itself. */
  #addedField(place: Place, name: string): GraphField | undefined {
    for (const vertex of this.#navigator.verticesOf(place.typeName)) {
      const field = this.#navigator.type(vertex.as)?.fields.get(name);
      if (field) return field;
    }
    return undefined;
  }

  /** The fetch that a field is put into: one that is there, or the one with the fewest hops. */
  #nearest(place: Place, name: string, tried: ReadonlySet<string>): Presence | undefined {
    const here = [...place.presences.values()].map(({ vertex }) => vertex);
    const reached = this.#isRoot(place) ? undefined : this.#navigator.reach(place.typeName, here);
    const candidates = this.#navigator
      .verticesOf(place.typeName)
      .filter(({ id }) => !tried.has(id))
      .flatMap((vertex) => {
        const presence = place.presences.get(vertex.id);
        const join = this.#navigator.resolves(vertex, name, presence?.provided);
        if (!join) return [];
        const hops = presence || !reached ? 0 : reached.get(vertex.id)?.hops;
        return hops === undefined ? [] : [{ vertex, join, hops: hops + (join.requires ? 1 : 0) }];
      })
      .sort((one, other) => one.hops - other.hops);
    for (const { vertex, join } of candidates) {
      const presence = join.requires
        ? this.#require(place, vertex, join.requires)
        : this.#enter(place, vertex);
      if (presence) return presence;
    }
    return undefined;
  }

  /** The fetch of a vertex at a place, made if need be with those that bring its key. */
  #enter(place: Place, vertex: Vertex): Presence | undefined {
    const known = place.presences.get(vertex.id);
    if (known) return known;
    if (this.#isRoot(place)) return this.#root(place, vertex);
    const here = [...place.presences.values()].map(({ vertex }) => vertex);
    const entry = this.#navigator.reach(place.typeName, here).get(vertex.id);
    if (!entry) return undefined;
    const made = this.#hop(place, entry, [], new Set());
    if (made) place.presences.set(vertex.id, made);
    return made;
  }

  /** Root fields can be asked of any subgraph; those of queries also where a type has a field of the query type. */
  #isRoot(place: Place): boolean {
    return place.path.length === 0 || place.typeName === this.#model.roots.query;
  }

  #root(place: Place, vertex: Vertex): Presence {
    const group: Group = {
      vertex,
      builder: new SelectionBuilder(),
      path: place.path.length === 0 ? undefined : place.path,
      requires: [],
      inputRewrites: [],
      needs: new Set(place.path.length === 0 ? [] : [...place.presences.values()].map(({ group }) => group)),
      isRoot: true,
    };
    this.#groups.push(group);
    const presence: Presence = { group, vertex, builder: group.builder, provided: undefined };
    place.presences.set(vertex.id, presence);
    return presence;
  }

  /** The fetch of a vertex for fields that require others: those are fetched first, wherever they are. */
  #require(place: Place, vertex: Vertex, required: SelectionSetNode): Presence | undefined {
    const id = `${vertex.id}|${JSON.stringify(required)}`;
    const known = place.required.get(id);
    if (known) return known;
    const before = this.#groups.length;
    const needs = new Set<Group>();
    const nodes = this.#requiredNodes(place, required, needs);
    if (!nodes) return undefined;
    // Groups that were made on the way are part of what is waited for.
    for (const group of this.#groups.slice(before)) needs.add(group);
    const here = [...place.presences.values()].map(({ vertex }) => vertex);
    const entry =
      this.#navigator.entryOf(vertex, here) ?? this.#navigator.reach(place.typeName, here).get(vertex.id);
    const presence = entry && this.#hop(place, entry, nodes, needs);
    if (presence) place.required.set(id, presence);
    return presence;
  }

  /** Fetches a set of fields for us; answers how a representation is made of them. */
  #requiredNodes(place: Place, set: SelectionSetNode, needs: Set<Group>): RequiresNode[] | undefined {
    const nodes: RequiresNode[] = [];
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        if (condition !== undefined && !this.#matches(place.typeName, condition)) continue;
        const inner = this.#requiredNodes(place, selection.selectionSet, needs);
        if (!inner) return undefined;
        nodes.push(...inner);
      } else if (selection.kind === Kind.FIELD) {
        const node = this.#requiredField(place, selection, needs);
        if (!node) return undefined;
        nodes.push(node);
      }
    }
    return nodes;
  }

  #requiredField(place: Place, field: FieldNode, needs: Set<Group>): RequiresNode | undefined {
    const name = field.name.value;
    if (name === '__typename') return { kind: 'Field', name };
    const args = field.arguments ?? [];
    const key = place.internalKey(name, args);
    const below: RequiresNode[] = [];
    const missed = this.#field(
      place,
      { key, name, args },
      {
        plan: (child) => {
          const { selectionSet } = field;
          const inner = selectionSet && this.#requiredNodes(child, selectionSet, needs);
          if (selectionSet && !inner) return [field];
          for (const presence of child.presences.values()) needs.add(presence.group);
          if (inner && this.#isAbstract(place, name)) {
            below.push({
              kind: 'InlineFragment',
              typeCondition: child.typeName,
              selections: [typenameNode, ...inner],
            });
          } else {
            below.push(...(inner ?? []));
          }
          return [];
        },
        narrow: () => {},
      },
    );
    if (missed) return undefined;
    for (const presence of [...place.presences.values(), ...place.required.values()])
      needs.add(presence.group);
    return {
      kind: 'Field',
      name: key,
      ...(key === name ? {} : { alias: name }),
      ...(field.selectionSet ? { selections: below } : {}),
    };
  }

  #isAbstract(place: Place, field: string): boolean {
    const definition = this.#navigator.type(place.typeName)?.fields.get(field);
    const type = definition && this.#navigator.type(namedTypeOf(definition.type));
    return type !== undefined && type.kind !== 'object';
  }

  /** A fetch of entities: the key is taken from where it is, `required` goes along. */
  #hop(
    place: Place,
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
      const from = source && this.#enter(place, source);
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
    this.#groups.push(group);
    return { group, vertex, builder: builder.onType(vertex.as), provided: undefined };
  }

  /** Selects a field of a key in a fetch that can resolve all of it. */
  #keyField(place: Place, from: Presence, field: FieldNode): RequiresNode {
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

  /** The places where values of a field stand: one, or one for each concrete type. */
  #values(
    place: Place,
    { key, name }: Wanted,
    { type }: GraphField,
    presence: Presence,
    builder: SelectionBuilder,
  ): Place[] {
    const typeName = namedTypeOf(type);
    const graphType = this.#navigator.type(typeName);
    const { graph } = presence.vertex;
    const segments = segmentsOf(key, type);
    const join = this.#navigator.resolves(presence.vertex, name, presence.provided);
    const provided = join?.provides ?? providedBelow(presence.provided, name);
    const arrive = (child: Place, at: SelectionBuilder): Place => {
      const vertex = this.#navigator.vertexIn(child.typeName, graph);
      if (vertex && !child.presences.has(vertex.id)) {
        child.presences.set(vertex.id, { group: presence.group, vertex, builder: at, provided });
      }
      return child;
    };
    if (!graphType || graphType.kind === 'object')
      return [arrive(place.child(key, segments, typeName), builder)];
    builder.asksTypename = true;
    if (graphType.graphs.get(graph)?.isInterfaceObject) {
      const child = arrive(place.child(key, segments, typeName), builder);
      return this.#concretePlaces(place, key, segments, typeName, child);
    }
    return this.#membersIn(graph, join?.type?.replace(/[[\]!]/g, '') ?? typeName).map((member) =>
      arrive(place.child(key, [...segments, { TypeCondition: [member] }], member), builder.onType(member)),
    );
  }

  /** The object types that a subgraph may answer for a type; its own type may be narrower than the public one. */
  #membersIn(graph: string, typeName: string): readonly string[] {
    const type = this.#navigator.type(typeName);
    return type?.kind === 'object' ? [typeName] : (type?.members.get(graph) ?? []);
  }

  /** An interface object does not know its types: a subgraph that has the interface is asked first. */
  #concretePlaces(
    parent: Place,
    key: string,
    segments: readonly PathSegment[],
    typeName: string,
    child: Place,
  ): Place[] {
    const type = this.#navigator.type(typeName);
    const here = [...child.presences.values()].map(({ vertex }) => vertex);
    const home = [...this.#navigator.reach(typeName, here).values()].find(
      ({ vertex }) => vertex.as === typeName && !type?.graphs.get(vertex.graph)?.isInterfaceObject,
    );
    const presence = home && this.#enter(child, home.vertex);
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

  #collect(sets: readonly SelectionSetNode[], typeName: string): Map<string, FieldNode[]> {
    const fields = new Map<string, FieldNode[]>();
    const gather = (selections: readonly SelectionNode[]): void => {
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) {
          const key = selection.alias?.value ?? selection.name.value;
          fields.set(key, [...(fields.get(key) ?? []), selection]);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          const condition = selection.typeCondition?.name.value;
          if (condition === undefined || this.#matches(typeName, condition))
            gather(selection.selectionSet.selections);
        }
      }
    };
    for (const set of sets) gather(set.selections);
    return fields;
  }

  #matches(typeName: string, condition: string): boolean {
    if (typeName === condition) return true;
    const type = this.#navigator.type(condition);
    if (!type || type.kind === 'object') return false;
    return (
      this.#navigator.type(typeName)?.interfaces.includes(condition) ||
      [...type.members.values()].some((members) => members.includes(typeName))
    );
  }
}

function segmentsOf(key: string, type: TypeNode): PathSegment[] {
  return [{ Field: key }, ...Array.from({ length: listDepth(type) }, () => '@' as const)];
}

const typenameNode: RequiresNode = { kind: 'Field', name: '__typename' };

/** What is left of a concrete type's selections, as a selection of the declared type. */
function wrap(place: Place, left: readonly SelectionNode[]): SelectionNode[] {
  if (left.length === 0) return [];
  return [
    {
      kind: Kind.INLINE_FRAGMENT,
      typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: place.typeName } },
      selectionSet: { kind: Kind.SELECTION_SET, selections: left },
    },
  ];
}

function signature(node: FieldNode | undefined): string {
  return node ? signatureOf(node.name.value, node.arguments ?? []) : '';
}

function describe(node: SelectionNode): string {
  return node.kind === Kind.FIELD ? node.name.value : `… on ${node.kind}`;
}
