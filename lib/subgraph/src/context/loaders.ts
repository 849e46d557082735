import DataLoader from 'dataloader';
import type { LoaderDefinition, Loaders, SubgraphContext } from './types.js';

/** Declares a loader; use it by `context.loaders.load(definition, key)`. */
export function defineLoader<TKey, TValue, TContext extends SubgraphContext = SubgraphContext>(
  definition: LoaderDefinition<TKey, TValue, TContext>,
): LoaderDefinition<TKey, TValue, TContext> {
  return Object.freeze({ ...definition });
}

/** Arranges rows in the order of the keys; missing ones are null. */
export function byKey<TKey, TRow>(
  keys: readonly TKey[],
  rows: Iterable<TRow>,
  keyOf: (row: TRow) => TKey,
): (TRow | null)[] {
  const found = new Map<unknown, TRow>();
  for (const row of rows) found.set(mapKey(keyOf(row)), row);
  return keys.map((key) => found.get(mapKey(key)) ?? null);
}

function mapKey(key: unknown): unknown {
  return typeof key === 'object' && key !== null ? JSON.stringify(key) : key;
}

/** The loaders of one operation, created on first use. */
export class LoaderCache implements Loaders {
  readonly #made = new Map<object, DataLoader<unknown, unknown, unknown>>();
  readonly #calls: Record<string, number> = {};
  #context: SubgraphContext | undefined;

  /** Sets the context for which the loaders load; called by the creator of the context. */
  bind(context: SubgraphContext): void {
    this.#context = context;
  }

  /** Number of loads so far, by name of the loader; read by contract tests. */
  get calls(): Readonly<Record<string, number>> {
    return this.#calls;
  }

  /** Loads one; calls of the same tick are answered by one batch. Resolves to null if there is none. */
  load<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
  ): Promise<TValue | null> {
    // Not an async function, which would create another promise for each key.
    try {
      return this.#loaderOf(definition).load(key);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Stores a known value for `load`, so that it is not fetched again. */
  prime<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
    value: TValue,
  ): void {
    this.#loaderOf(definition).prime(key, value);
  }

  /** Clears one key, or all of a loader: for a mutation that changed loaded data. */
  clear<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key?: TKey,
  ): void {
    const loader = this.#loaderOf(definition);
    if (key === undefined) loader.clearAll();
    else loader.clear(key);
  }

  #loaderOf<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
  ): DataLoader<TKey, TValue | null, unknown> {
    let loader = this.#made.get(definition) as DataLoader<TKey, TValue | null, unknown> | undefined;
    if (!loader) {
      loader = this.#make(definition);
      // The map is keyed by the definition, which determines the types of its loader.
      this.#made.set(definition, loader as unknown as DataLoader<unknown, unknown, unknown>);
    }
    return loader;
  }

  #make<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
  ): DataLoader<TKey, TValue | null, unknown> {
    const context = this.#context as TContext | undefined;
    if (!context) throw new Error(`Loader "${definition.name}" was used before its context was created`);
    const cacheKey = definition.cacheKey ?? mapKey;
    return new DataLoader<TKey, TValue | null, unknown>(
      async (keys) => {
        this.#calls[definition.name] = (this.#calls[definition.name] ?? 0) + 1;
        return (await definition.load(keys, context)).map((value) => value ?? null);
      },
      { name: definition.name, cacheKeyFn: cacheKey, maxBatchSize: definition.maxBatchSize ?? 1000 },
    );
  }
}
