import type { Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';

/** Context of every resolver. A service adds its own fields by the `contextFactory` of `buildSubgraph`. */
export interface SubgraphContext {
  /** The verified caller. */
  readonly principal: Principal;
  /** Id of the client's request, in logs and errors of every process that takes part. */
  readonly requestId: string;
  /** Logger that writes the request id in each line. */
  readonly log: Logger;
  /** Loaders, created for each operation and for each event of a subscription. */
  readonly loaders: Loaders;
  /** True if another process of the same service has forwarded the call. */
  readonly isForwarded?: boolean | undefined;
  /** Aborted when the caller no longer needs the answer. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads many keys at once: returns one value per key, in the order of the keys. Missing values are null (or
 * undefined); an Error applies only to its key. Keys are distinct. Throwing fails all keys of the batch.
 */
export type LoadMany<TKey, TValue, TContext extends SubgraphContext = SubgraphContext> = (
  keys: readonly TKey[],
  context: TContext,
) => Promise<readonly (TValue | null | undefined | Error)[]>;

/** A batch loader, declared once per service; each operation has its own cache and batches of it. */
export interface LoaderDefinition<TKey, TValue, TContext extends SubgraphContext = SubgraphContext> {
  /** Name of the loader in errors. */
  readonly name: string;
  readonly load: LoadMany<TKey, TValue, TContext>;
  /** Identity of keys; default: the key itself, or its JSON text if it is an object. */
  readonly cacheKey?: (key: TKey) => string | number;
  /** Maximum number of keys in a batch; default 1,000. */
  readonly maxBatchSize?: number;
}

/** The loaders of one operation. */
export interface Loaders {
  /** Number of loads so far, by name of the loader; read by contract tests. */
  readonly calls: Readonly<Record<string, number>>;
  /** Loads one; calls of the same tick are answered by one batch. Resolves to null if there is none. */
  load<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
  ): Promise<TValue | null>;
  /** Stores a known value, so that it is not fetched again. */
  prime<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
    value: TValue,
  ): void;
  /** Clears one key, or all of a loader: for a mutation that changed loaded data. */
  clear<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key?: TKey,
  ): void;
}
