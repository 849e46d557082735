import { isPlainObject } from '../result/merge.js';
import { type DataObject, valueAt } from '../result/path.js';
import type { RequiresNode, Rewrite } from '../planning/plan-format.js';
import { applyRewrite, type NormalRewrite, readRewrite } from './rewrite.js';
import type { TypeRelations } from '../supergraph/type-relations.js';
import { leafText, quote } from '../result/json.js';

/** Values of the variables that conditions read. */
export type ConditionValues = Readonly<Record<string, boolean>>;

/**
 * Builds the representation of an entity for a subgraph. The text is the wire format and identifies equal
 * entities.
 */
export interface Representer {
  /**
   * The representation as JSON text, or undefined if the entity cannot be fetched: it is of another type, or
   * only its type is known. With `complete`, also if any field is missing.
   */
  text(entity: DataObject, conditions: ConditionValues, complete: boolean): string | undefined;
  /** The representation as an object, for subgraphs in this process. Only for entities that have a text. */
  object(entity: DataObject, conditions: ConditionValues): DataObject;
  /**
   * The entity's type if one value identifies its entities, so that no representation is needed to compare
   * them.
   */
  plainType(entity: DataObject): PlainType | undefined;
}

/** A type whose entities are identified by one field. */
export interface PlainType {
  /** Name of the type in the subgraph. */
  readonly name: string;
  /** Key of the field's value in our data. */
  readonly only: string;
}

/** Compiles the `requires` of an entity fetch. */
export function compileRequires(
  requires: readonly RequiresNode[],
  inputRewrites: readonly Rewrite[] | undefined,
  relations: TypeRelations,
): Representer {
  const rewrites = (inputRewrites ?? []).map(readRewrite);
  const simple = rewrites.filter(isTypenameRewrite);
  const other = rewrites.filter((rewrite) => !isTypenameRewrite(rewrite));
  const selection = new RequiredSelection(requires, relations);
  const entityTypes = new Map<string, EntityType | null>();
  const typeOf = (entity: DataObject): EntityType | null => {
    const typename = entity['__typename'];
    if (typeof typename !== 'string') return null;
    let type = entityTypes.get(typename);
    if (type === undefined) {
      type = entityTypeOf(selection, simple, typename, relations);
      entityTypes.set(typename, type);
    }
    return type;
  };
  const object = (entity: DataObject, conditions: ConditionValues): DataObject => {
    const type = typeOf(entity);
    const made: DataObject = { __typename: type?.name };
    if (type) fill(made, type.fields, entity, conditions);
    for (const rewrite of other) applyRewrite(made, rewrite, relations);
    return made;
  };
  return {
    text: (entity, conditions, complete) => {
      const type = typeOf(entity);
      if (!type) return undefined;
      const text = entityText(type, entity, conditions, complete);
      return text === undefined || other.length === 0 ? text : JSON.stringify(object(entity, conditions));
    },
    object,
    plainType: (entity) => (other.length > 0 ? undefined : typeOf(entity)?.plain),
  };
}

/** The common case: the type name of an interface object is known when the plan is compiled. */
function isTypenameRewrite({ path, change }: NormalRewrite): boolean {
  const last = path[path.length - 1];
  return (
    change.kind === 'set' &&
    path.length <= 2 &&
    last !== undefined &&
    'Key' in last &&
    last.Key === '__typename' &&
    path.slice(0, -1).every((segment) => 'TypenameEquals' in segment)
  );
}

interface EntityType {
  /** Name of the type in the subgraph. */
  readonly name: string;
  readonly opening: string;
  readonly fields: readonly RequiredField[];
  readonly plain: PlainType | undefined;
}

function entityTypeOf(
  selection: RequiredSelection,
  rewrites: readonly NormalRewrite[],
  typename: string,
  relations: TypeRelations,
): EntityType | null {
  const fields = selection.fieldsOf(typename);
  if (fields.length === 0) return null;
  let name = typename;
  for (const { path, change } of rewrites) {
    const [segment] = path;
    if (!segment) continue;
    const met = 'Key' in segment || segment.TypenameEquals.some((type) => relations.matches(typename, type));
    if (met) name = change.to;
  }
  const required = fields.filter(({ key }) => key !== '__typename');
  const [only] = required;
  const isPlain = required.length === 1 && only?.guards.length === 0 && !only.selection;
  return {
    name,
    opening: `{"__typename":${quote(name)}`,
    fields: required,
    plain: isPlain ? { name, only: only.from } : undefined,
  };
}

/** One field of a representation. */
interface RequiredField {
  /** Name in the representation. */
  readonly key: string;
  /** Key of its value in our data. */
  readonly from: string;
  readonly label: string;
  readonly selection: RequiredSelection | undefined;
  readonly guards: readonly Guard[];
}

interface Guard {
  readonly variable: string;
  readonly wanted: boolean;
}

class RequiredSelection {
  readonly #nodes: readonly RequiresNode[];
  readonly #relations: TypeRelations;
  /** True for objects below the entity, whose type is always included. */
  readonly #isNested: boolean;
  readonly #byType = new Map<string, readonly RequiredField[]>();

  constructor(nodes: readonly RequiresNode[], relations: TypeRelations, isNested = false) {
    this.#nodes = nodes;
    this.#relations = relations;
    this.#isNested = isNested;
  }

  /** Required fields of an object of a type, without fragments for other types. */
  fieldsOf(typename: string | undefined): readonly RequiredField[] {
    const cacheKey = typename ?? '';
    let fields = this.#byType.get(cacheKey);
    if (!fields) {
      const found = new Map<string, { from: string; nodes: RequiresNode[]; guards: readonly Guard[] }>();
      // If types differ, the subgraph must know which one it receives; the planner omits the type name.
      if (
        this.#isNested &&
        typename !== undefined &&
        this.#nodes.some(({ kind }) => kind === 'InlineFragment')
      )
        found.set('__typename', { from: '__typename', nodes: [], guards: [] });
      this.#collect(this.#nodes, typename, [], found);
      fields = [...found].map(([key, { from, nodes, guards }]) => ({
        key,
        from,
        label: `,${quote(key)}:`,
        selection: nodes.length > 0 ? new RequiredSelection(nodes, this.#relations, true) : undefined,
        guards,
      }));
      this.#byType.set(cacheKey, fields);
    }
    return fields;
  }

  #collect(
    nodes: readonly RequiresNode[],
    typename: string | undefined,
    guards: readonly Guard[],
    found: Map<string, { from: string; nodes: RequiresNode[]; guards: readonly Guard[] }>,
  ): void {
    for (const node of nodes) {
      if (node.kind === 'InlineFragment') {
        if (typename !== undefined && !this.#relations.matches(typename, node.typeCondition)) continue;
        this.#collect(node.selections, typename, [...guards, ...guardsOf(node)], found);
        continue;
      }
      const key = node.alias ?? node.name;
      const known = found.get(key);
      if (!known) found.set(key, { from: node.name, nodes: [...(node.selections ?? [])], guards });
      else {
        known.nodes.push(...(node.selections ?? []));
        if (guards.length < known.guards.length) known.guards = guards;
      }
    }
  }
}

function guardsOf(node: {
  skipIf?: string | null | undefined;
  includeIf?: string | null | undefined;
}): Guard[] {
  const guards: Guard[] = [];
  if (node.skipIf) guards.push({ variable: node.skipIf, wanted: false });
  if (node.includeIf) guards.push({ variable: node.includeIf, wanted: true });
  return guards;
}

function isGuardedOff(guards: readonly Guard[], conditions: ConditionValues): boolean {
  return guards.some(({ variable, wanted }) => conditions[variable] !== wanted);
}

function entityText(
  type: EntityType,
  entity: DataObject,
  conditions: ConditionValues,
  complete: boolean,
): string | undefined {
  let text = type.opening;
  let known = type.fields.length === 0;
  for (const field of type.fields) {
    if (field.guards.length > 0 && isGuardedOff(field.guards, conditions)) continue;
    const value = valueAt(entity, field.from);
    const part = value === undefined ? undefined : valueText(value, field.selection, conditions, complete);
    if (part === undefined) {
      if (complete) return undefined;
      continue;
    }
    known = true;
    text += field.label + part;
  }
  return known ? `${text}}` : undefined;
}

function valueText(
  value: unknown,
  selection: RequiredSelection | undefined,
  conditions: ConditionValues,
  complete: boolean,
): string | undefined {
  if (value === null) return 'null';
  if (!selection) return leafText(value);
  if (Array.isArray(value)) {
    const items: string[] = [];
    for (const item of value) {
      const text = valueText(item, selection, conditions, complete);
      if (text === undefined && complete) return undefined;
      items.push(text ?? 'null');
    }
    return `[${items.join(',')}]`;
  }
  if (!isPlainObject(value)) return leafText(value);
  return nestedText(value, selection, conditions, complete);
}

function nestedText(
  value: DataObject,
  selection: RequiredSelection,
  conditions: ConditionValues,
  complete: boolean,
): string | undefined {
  let text = '';
  for (const field of selection.fieldsOf(value['__typename'] as string | undefined)) {
    if (field.guards.length > 0 && isGuardedOff(field.guards, conditions)) continue;
    const inner = valueAt(value, field.from);
    const part = inner === undefined ? undefined : valueText(inner, field.selection, conditions, complete);
    if (part !== undefined) text += field.label + part;
    else if (complete) return undefined;
  }
  return `{${text.slice(1)}}`;
}

function fill(
  made: DataObject,
  fields: readonly RequiredField[],
  entity: DataObject,
  conditions: ConditionValues,
): void {
  for (const field of fields) {
    if (field.guards.length > 0 && isGuardedOff(field.guards, conditions)) continue;
    const value = valueAt(entity, field.from);
    if (value !== undefined) made[field.key] = build(value, field.selection, conditions);
  }
}

function build(
  value: unknown,
  selection: RequiredSelection | undefined,
  conditions: ConditionValues,
): unknown {
  if (!selection || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => build(item ?? null, selection, conditions));
  if (!isPlainObject(value)) return value;
  const made: DataObject = {};
  fill(made, selection.fieldsOf(value['__typename'] as string | undefined), value, conditions);
  return made;
}
