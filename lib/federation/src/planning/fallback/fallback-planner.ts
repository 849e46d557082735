import {
  type ArgumentNode,
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { PlanNode, RequiresNode } from '../plan-format.js';
import { emitPlan } from './emit.js';
import { FetchBuilder, typenameNode } from './fetch-builder.js';
import { type GraphField, namedTypeOf, shapeIn, type SupergraphModel } from './graph.js';
import type { Group } from './group.js';
import { InsertionPoint, type Presence, signatureOf } from './insertion-point.js';
import { ValuePositions } from './value-positions.js';
import { type ActiveOverrides, Navigator, type Vertex } from './vertex.js';

// A second planner, for operations that the first one fails at: the native planner rejects some operations
// that have a plan, takes very long for some, and aborts its process on others. This planner is simple: each
// field goes to the nearest subgraph, each position of the answer is visited once for each concrete type, and
// nothing is optimised. Its plans may have more fetches than needed, and are correct.

/** Plans a normalised operation. Throws if no subgraph can resolve a field. */
export function planByFallback(
  model: SupergraphModel,
  overrides: ActiveOverrides,
  rootName: string,
  operation: OperationDefinitionNode,
): PlanNode | null {
  return new FallbackPlanner(model, overrides, operation).plan(rootName);
}

/** Selections to fetch at a position: a field with everything selected below it. */
interface Wanted {
  readonly key: string;
  readonly name: string;
  readonly args: readonly ArgumentNode[];
}

/** Selections on the values of a field. */
interface Below {
  /** Plans the selections at a position of values; returns those that could not be planned there. */
  plan(place: InsertionPoint): SelectionNode[];
  /** Reduces the selections to the given ones, for another subgraph. */
  narrow(rest: SelectionNode[]): void;
  /** Called with each fetch that includes the field. */
  met?(group: Group): void;
}

class FallbackPlanner {
  readonly #navigator: Navigator;
  readonly #model: SupergraphModel;
  readonly #operation: OperationDefinitionNode;
  readonly #fetches: FetchBuilder;
  readonly #values: ValuePositions;

  constructor(model: SupergraphModel, overrides: ActiveOverrides, operation: OperationDefinitionNode) {
    this.#model = model;
    this.#navigator = new Navigator(model, overrides);
    this.#operation = operation;
    this.#fetches = new FetchBuilder(model, this.#navigator);
    this.#values = new ValuePositions(this.#navigator, this.#fetches);
  }

  plan(rootName: string): PlanNode | null {
    const root = new InsertionPoint([], rootName);
    const left = this.#select(root, [this.#operation.selectionSet]);
    const [first] = left;
    if (first) throw new Error(`no subgraph resolves ${rootName}.${describe(first)}`);
    return emitPlan(this.#fetches.groups, this.#operation, this.#model.serviceNames);
  }

  /** Plans a client's selections at a position; returns those that no reachable subgraph can resolve. */
  #select(place: InsertionPoint, sets: readonly SelectionSetNode[]): SelectionNode[] {
    const fields = this.#collect(sets, place.typeName);
    place.reserveKeys(new Map([...fields].map(([key, [node]]) => [key, signature(node)])));
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
   * Adds a field to the fetch of the nearest subgraph that has it. Selections below the field that this
   * subgraph cannot resolve go to the next one. Returns whether any are left.
   */
  #field(place: InsertionPoint, wanted: Wanted, below: Below): boolean {
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
      below.met?.(presence.group);
      const builder = presence.builder.field(wanted.key, wanted.name, wanted.args, {
        isLeaf: !type,
        shape: shapeIn(this.#model, vertex.graph, vertex.as, wanted.name),
      });
      if (!type || !builder) return false;
      const values = this.#values.of(place, wanted, definition, presence, builder);
      const left = values.flatMap((child) => wrap(child, below.plan(child)));
      if (left.length === 0) return false;
      below.narrow(left);
    }
  }

  /** A field that an interface object adds may be unknown to the type itself. */
  #addedField(place: InsertionPoint, name: string): GraphField | undefined {
    for (const vertex of this.#navigator.verticesOf(place.typeName)) {
      const field = this.#navigator.type(vertex.as)?.fields.get(name);
      if (field) return field;
    }
    return undefined;
  }

  /** The fetch that a field is added to: an existing one, or the one with the fewest hops. */
  #nearest(place: InsertionPoint, name: string, tried: ReadonlySet<string>): Presence | undefined {
    const here = [...place.presences.values()].map(({ vertex }) => vertex);
    const reached = this.#fetches.isRoot(place) ? undefined : this.#navigator.reach(place.typeName, here);
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
        : this.#fetches.enter(place, vertex);
      if (presence) return presence;
    }
    return undefined;
  }

  /** The fetch of a vertex for fields that require others: those are fetched first, from any subgraph. */
  #require(place: InsertionPoint, vertex: Vertex, required: SelectionSetNode): Presence | undefined {
    const id = `${vertex.id}|${JSON.stringify(required)}`;
    const known = place.required.get(id);
    if (known) return known;
    const before = this.#fetches.groups.length;
    const needs = new Set<Group>();
    const nodes = this.#requiredNodes(place, required, needs);
    if (!nodes) return undefined;
    // The fetch also depends on groups that were created on the way.
    for (const group of this.#fetches.groups.slice(before)) needs.add(group);
    const here = [...place.presences.values()].map(({ vertex }) => vertex);
    const entry =
      this.#navigator.entryOf(vertex, here) ?? this.#navigator.reach(place.typeName, here).get(vertex.id);
    const presence = entry && this.#fetches.hop(place, entry, nodes, needs);
    if (presence) place.required.set(id, presence);
    return presence;
  }

  /** Fetches a set of internal fields; returns how a representation is built from them. */
  #requiredNodes(
    place: InsertionPoint,
    set: SelectionSetNode,
    needs: Set<Group>,
  ): RequiresNode[] | undefined {
    const nodes: RequiresNode[] = [];
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        if (condition !== undefined && !this.#navigator.matches(place.typeName, condition)) continue;
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

  #requiredField(place: InsertionPoint, field: FieldNode, needs: Set<Group>): RequiresNode | undefined {
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
        met: (group) => needs.add(group),
      },
    );
    if (missed) return undefined;
    return {
      kind: 'Field',
      name: key,
      ...(key === name ? {} : { alias: name }),
      ...(field.selectionSet ? { selections: below } : {}),
    };
  }

  #isAbstract(place: InsertionPoint, field: string): boolean {
    const definition = this.#navigator.type(place.typeName)?.fields.get(field);
    const type = definition && this.#navigator.type(namedTypeOf(definition.type));
    return type !== undefined && type.kind !== 'object';
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
          if (condition === undefined || this.#navigator.matches(typeName, condition))
            gather(selection.selectionSet.selections);
        }
      }
    };
    for (const set of sets) gather(set.selections);
    return fields;
  }
}

/** Remaining selections on a concrete type, as a selection on the declared type. */
function wrap(place: InsertionPoint, left: readonly SelectionNode[]): SelectionNode[] {
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
