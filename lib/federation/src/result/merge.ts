import { type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';
import { type DataObject, valueAt } from './path.js';
import type { TypeRelations } from '../supergraph/type-relations.js';

/**
 * Composite shape of a subgraph's answer, derived from the selections of the operation: distinguishes
 * objects, which are merged, from scalars, which are taken as they are even if they look like objects (in
 * process they may be live objects of other code).
 */
export interface MergeShape {
  /** Keys of the answer; undefined for a leaf. */
  readonly fields: ReadonlyMap<string, MergeShape | undefined>;
}

type Fields = Map<string, MergeShape | undefined>;

/**
 * Shape of the selections, with all type conditions combined: one key is a leaf in all of them or in none.
 */
export function shapeOf(
  selectionSets: readonly SelectionSetNode[],
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): MergeShape {
  const children = new Map<string, SelectionSetNode[]>();
  const collect = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        const sets = children.get(key) ?? [];
        if (selection.selectionSet) sets.push(selection.selectionSet);
        children.set(key, sets);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect(selection.selectionSet);
      } else {
        const fragment = fragments.get(selection.name.value);
        if (fragment) collect(fragment.selectionSet);
      }
    }
  };
  selectionSets.forEach(collect);
  const fields: Fields = new Map();
  for (const [key, sets] of children) fields.set(key, sets.length > 0 ? shapeOf(sets, fragments) : undefined);
  return { fields };
}

/** The same shape with a key also present under another name, along a path of keys. */
export function withRenamedKey(shape: MergeShape, keys: readonly string[], to: string): MergeShape {
  const [key, ...rest] = keys;
  if (key === undefined || !shape.fields.has(key)) return shape;
  const fields: Fields = new Map(shape.fields);
  const child = shape.fields.get(key);
  if (rest.length > 0) {
    if (child) fields.set(key, withRenamedKey(child, rest, to));
  } else {
    const known = fields.get(to);
    fields.set(to, child && known ? unite(child, known) : (child ?? known));
  }
  return { fields };
}

function unite(one: MergeShape, other: MergeShape): MergeShape {
  const fields: Fields = new Map(one.fields);
  for (const [key, child] of other.fields) {
    const known = fields.get(key);
    fields.set(key, known && child ? unite(known, child) : (known ?? child));
  }
  return { fields };
}

/**
 * Merges an answer into the data in place. Known values are not lost: null never replaces a value, and lists
 * are merged by index. Otherwise later answers win, `__typename` included: a later fetch corrects that of an
 * interface object. With `relations`, a concrete type is not replaced by an interface again.
 */
export function mergeInto(
  target: DataObject,
  source: DataObject,
  shape: MergeShape,
  relations?: TypeRelations,
): void {
  for (const [key, child] of shape.fields) {
    const value = valueAt(source, key);
    if (value === undefined) continue;
    const known = valueAt(target, key);
    if (known === undefined || known === null) target[key] = value;
    else if (value === null) continue;
    else if (child) mergeComposite(target, key, known, value, child, relations);
    else if (key !== '__typename' || !relations?.matches(String(known), String(value))) target[key] = value;
  }
}

function mergeComposite(
  target: DataObject,
  key: string,
  known: unknown,
  value: unknown,
  shape: MergeShape,
  relations: TypeRelations | undefined,
): void {
  if (known === value) return;
  if (Array.isArray(known) && Array.isArray(value)) mergeLists(known, value, shape, relations);
  else if (isPlainObject(known) && isPlainObject(value)) mergeInto(known, value, shape, relations);
  else target[key] = value;
}

function mergeLists(
  known: unknown[],
  value: readonly unknown[],
  shape: MergeShape,
  relations: TypeRelations | undefined,
): void {
  for (let index = 0; index < value.length; index++) {
    const item = value[index];
    const there = known[index];
    if (item === null || item === undefined || there === item) continue;
    if (isPlainObject(there) && isPlainObject(item)) mergeInto(there, item, shape, relations);
    else if (Array.isArray(there) && Array.isArray(item)) mergeLists(there, item, shape, relations);
    else if (there === null || there === undefined) known[index] = item;
  }
}

/** A copy that later merges can change without changing the original; leaves are shared. */
export function copyOf(value: unknown, shape: MergeShape | undefined): unknown {
  if (!shape || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => copyOf(item, shape));
  const copy: DataObject = {};
  for (const [key, child] of shape.fields) {
    const field = valueAt(value as DataObject, key);
    if (field !== undefined) copy[key] = copyOf(field, child);
  }
  return copy;
}

/** True if a value is an object of the data and not a list. */
export function isPlainObject(value: unknown): value is DataObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
