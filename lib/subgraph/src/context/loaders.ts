import DataLoader from 'dataloader';
import type { LoaderDefinition, Loaders, SubgraphContext } from './types.js';

/** Declares a loader; use it by `context.loaders.load(definition, key)`. */
export function defineLoader<TKey, TValue, TContext extends SubgraphContext = SubgraphContext>(
  definition: LoaderDefinition<TKey, TValue, TContext>,
): LoaderDefinition<TKey, TValue, TContext> {
  return Object.freeze({ ...definition });
}

/** Brings rows that came in any order, or not at all, into the order of the keys; missing ones are null. */
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

/** The loaders of one operation, made when first used. */
export class LoaderCache implements Loaders {
  readonly #made = new Map<object, DataLoader<unknown, unknown, unknown>>();
  readonly #calls: Record<string, number> = {};
  #context: SubgraphContext | undefined;

  /** Tells the loaders in whose name they load; done by whoever makes the context. */
  bind(context: SubgraphContext): void {
    this.#context = context;
  }

  /** How often each loader has loaded so far, by its name: what a contract test counts. */
  get calls(): Readonly<Record<string, number>> {
    return this.#calls;
  }

  /** Loads one; calls of the same tick are answered by one batch. Resolves to null where there is none. */
  load<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
  ): Promise<TValue | null> {
    // Not an async function: of each key's promise it would make another one.
    try {
      return this.#loaderOf(definition).load(key);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Puts what is already known where `load` would look, so that it is not fetched again. */
  prime<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
    value: TValue,
  ): void {
    this.#loaderOf(definition).prime(key, value);
  }

  /** Forgets one, or all of a loader: for a mutation that changed what had been read. */
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
      // The map is keyed by the definition, which fixes the types of its loader.
      this.#made.set(definition, loader as unknown as DataLoader<unknown, unknown, unknown>);
    }
    return loader;
  }

  #make<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
  ): DataLoader<TKey, TValue | null, unknown> {
    const context = this.#context as TContext | undefined;
    if (!context) throw new Error(`Loader "${definition.name}" was used before its context was made`);
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
