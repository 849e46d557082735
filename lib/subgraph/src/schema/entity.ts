import type { SubgraphContext } from '../context/types.js';
import { defineLoader } from '../context/loaders.js';
import type { LoaderDefinition, LoadMany } from '../context/types.js';

/** Definition of an entity of this subgraph, by the fields that other subgraphs know of it. */
export interface EntityOptions<TValue, TKey, TContext extends SubgraphContext> {
  /** Name of the type. */
  readonly type: string;
  /** Field of the key if it is one field, or a function that reads a loader key from a representation. */
  readonly key: string | ((representation: Readonly<Record<string, unknown>>) => TKey);
  /**
   * Loads many; returns one value per key, in order, null if there is none or if the principal may not see
   * it.
   */
  readonly load: LoadMany<TKey, TValue, TContext>;
}

/** An entity: its reference resolver and the loader behind it, which object-to-object fields share. */
export interface Entity<TValue, TKey, TContext extends SubgraphContext> {
  readonly type: string;
  readonly loader: LoaderDefinition<TKey, TValue, TContext>;
  /** Resolver `__resolveReference` for the resolver map. */
  readonly resolveReference: (
    representation: object,
    context: TContext,
  ) => Promise<TValue | null> | TValue | null;
}

/** Declares an entity: n representations of one operation are answered by one call of `load`. */
export function entity<
  TValue extends object,
  TKey = string,
  TContext extends SubgraphContext = SubgraphContext,
>(options: EntityOptions<TValue, TKey, TContext>): Entity<TValue, TKey, TContext> {
  const { type, key, load } = options;
  const loader = defineLoader<TKey, TValue, TContext>({ name: type, load });
  const readKey =
    typeof key === 'function'
      ? key
      : (representation: Readonly<Record<string, unknown>>) => representation[key] as TKey;
  return {
    type,
    loader,
    resolveReference: (representation, context) => {
      const value = readKey(representation as Readonly<Record<string, unknown>>);
      return value === undefined || value === null ? null : context.loaders.load(loader, value);
    },
  };
}

/** A field that leads to another object of this subgraph. */
export interface ReferenceOptions<TParent, TKey, TValue, TContext extends SubgraphContext> {
  readonly loader: LoaderDefinition<TKey, TValue, TContext>;
  /** Key of the object that the field leads to; null or undefined if there is none. */
  readonly key: (parent: TParent) => TKey | null | undefined;
}

/** Creates a resolver for an object-to-object field: batched and cached with all others of the operation. */
export function reference<TParent, TKey, TValue, TContext extends SubgraphContext = SubgraphContext>(
  options: ReferenceOptions<TParent, TKey, TValue, TContext>,
): (parent: TParent, args: object, context: TContext) => Promise<TValue | null> | null {
  const { loader, key } = options;
  return (parent, _args, context) => {
    const found = key(parent);
    return found === undefined || found === null ? null : context.loaders.load(loader, found);
  };
}

/**
 * Reference resolver of a type that another subgraph owns and this one only extends: the representation
 * itself, with the fields of its key and `@requires`.
 */
export function representationAsIs<T extends object>(representation: T): T {
  return representation;
}
