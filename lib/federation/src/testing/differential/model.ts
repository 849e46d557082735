/** One field of a model: the subgraphs that resolve it, and how. */
export interface FieldModel {
  readonly name: string;
  /** The type as SDL. */
  readonly type: string;
  /** Arguments as SDL, with parentheses, or empty. */
  readonly args: string;
  /** Subgraphs that resolve it: several for shareable fields. */
  readonly owners: readonly number[];
  /** Set of fields of the same entity that its subgraph requires. */
  readonly requires?: RequiredSet | undefined;
  /** Names of external fields of the returned entity that are provided with it. */
  readonly provides?: string | undefined;
  /** Subgraph that still declares the field after another one took it over. */
  readonly overridden?: number | undefined;
  /** Label of a progressive override: either side may resolve the field then. */
  readonly overrideLabel?: string | undefined;
  readonly tag?: string | undefined;
  /** True if it never throws and always fits its type: others depend on it. */
  readonly steady: boolean;
  /** Owners whose own schema is non-null where the public one is nullable. */
  readonly strictIn?: readonly number[] | undefined;
}

/** One field in a `@requires`. */
export interface RequiredField {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Fields of the objects it returns; undefined for leaves. */
  readonly inner: readonly string[] | undefined;
}

/** Fields in a `@requires`, as SDL and as a tree of keys. */
export interface RequiredSet {
  readonly sdl: string;
  readonly fields: readonly RequiredField[];
}

/** A type with fields. */
export interface ObjectModel {
  readonly kind: 'entity' | 'value';
  readonly name: string;
  readonly fields: FieldModel[];
  /** Subgraphs that know the type, and by which keys. */
  readonly present: Map<number, string[]>;
  readonly interfaces: string[];
  /** External fields that subgraphs declare without owning them. */
  readonly externals: Map<number, Set<string>>;
  readonly hidden: boolean;
}

/** An interface or union. */
export interface AbstractModel {
  readonly kind: 'interface' | 'union';
  readonly name: string;
  readonly present: readonly number[];
  readonly members: readonly string[];
  readonly fields: FieldModel[];
  /** Subgraph in which it is an interface object with fields of its own. */
  readonly objectIn?: number | undefined;
}

export interface EnumModel {
  readonly name: string;
  readonly values: readonly string[];
  /** Value that clients cannot see. */
  readonly hidden: string | undefined;
}

/**
 * A supergraph before it is written as SDL: source of the subgraphs and of the schema that they are compared
 * with.
 */
export interface Model {
  readonly seed: string;
  readonly subgraphs: number;
  readonly objects: readonly ObjectModel[];
  readonly abstracts: readonly AbstractModel[];
  readonly enums: readonly EnumModel[];
  readonly queries: readonly FieldModel[];
  readonly mutations: readonly FieldModel[];
  readonly subscriptions: readonly FieldModel[];
}

/** Scalars of a model; the last is a custom one. */
export const scalars = ['Int', 'String', 'Float', 'Boolean', 'ID', 'JSON'];

/** True if values of a type are leaves, wrapped or not. */
export function isLeafType(type: string): boolean {
  return [...scalars, 'Kind'].includes(namedType(type));
}

/** The type's name without wrappers. */
export function namedType(type: string): string {
  return type.replace(/[[\]!]/g, '');
}
