import type { Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';

/** Context of every resolver. A service adds its own fields by the `contextFactory` of `buildSubgraph`. */
export interface SubgraphContext {
  /** The verified caller. */
  readonly principal: Principal;
  /** Names the client's request in logs and errors of every process it touches. */
  readonly requestId: string;
  /** Writes the request's id in each line. */
  readonly log: Logger;
  /** Fresh for each operation and for each event of a subscription. */
  readonly loaders: Loaders;
  /** Set if another process of the same service has forwarded the call. */
  readonly isForwarded?: boolean | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads many at once: one answer a key, in the order of the keys. Missing is null (or undefined); an Error stands for
 * its key alone. Keys are distinct. Throwing fails all keys of the batch.
 */
export type LoadMany<TKey, TValue, TContext extends SubgraphContext = SubgraphContext> = (
  keys: readonly TKey[],
  context: TContext,
) => Promise<readonly (TValue | null | undefined | Error)[]>;

/** A way of loading, declared once a service; each operation makes its own cache and batches of it. */
export interface LoaderDefinition<TKey, TValue, TContext extends SubgraphContext = SubgraphContext> {
  /** Names the loader in errors. */
  readonly name: string;
  readonly load: LoadMany<TKey, TValue, TContext>;
  /** What makes two keys the same; default: the key itself, or its JSON text if it is an object. */
  readonly cacheKey?: (key: TKey) => string | number;
  /** Keys in a batch at most; default 1,000. */
  readonly maxBatchSize?: number;
}

/** The loaders of one operation. */
export interface Loaders {
  /** Number of loads so far, by name of the loader: contract tests read it. */
  readonly calls: Readonly<Record<string, number>>;
  /** Loads one; calls of the same tick are answered by one batch. Resolves to null where there is none. */
  load<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
  ): Promise<TValue | null>;
  /** Stores what is already known, so that it is not fetched again. */
  prime<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key: TKey,
    value: TValue,
  ): void;
  /** Forgets one, or all of a loader: for a mutation that changed what had been read. */
  clear<TKey, TValue, TContext extends SubgraphContext>(
    definition: LoaderDefinition<TKey, TValue, TContext>,
    key?: TKey,
  ): void;
}
