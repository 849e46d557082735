import type { TypedDocumentNode } from '@rhizome/client';
import { backoffMs } from '@rhizome/retry/backoff';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { failureOfQuery } from './api.js';

/** Latest result of a query. */
export interface Fresh<Data> {
  readonly data: Data | undefined;
  readonly failure: string | null;
  /** Asks again soon; many calls within a second are one. */
  readonly refresh: () => void;
}

const refreshDelayMs = 700;

/**
 * The answer of a query, asked again soon when `changes` is another value, such as the state of a stream, and
 * by itself after a failure that may pass. What was shown stays until the next answer.
 */
export function useFresh<Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  changes?: unknown,
): Fresh<Data> {
  const client = useClient();
  const [data, setData] = useState<Data>();
  const [failure, setFailure] = useState<string | null>(null);
  const soon = useRef<() => void>(() => undefined);
  const key = JSON.stringify(variables);
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let attempt = 0;
    const askIn = (ms: number): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void ask();
      }, ms);
    };
    const ask = async (): Promise<void> => {
      const { data: found, error } = await client
        .query<Data, Variables>(document, JSON.parse(key) as Variables, { requestPolicy: 'network-only' })
        .toPromise();
      if (isOver) return;
      if (found !== undefined) setData(found);
      const failed = error ? failureOfQuery(error) : null;
      setFailure(failed?.message ?? null);
      attempt = failed ? attempt + 1 : 0;
      if (failed && failed.retry !== 'never') askIn(backoffMs(attempt));
    };
    soon.current = () => askIn(refreshDelayMs);
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [client, document, key]);
  const refresh = useCallback(() => soon.current(), []);
  const known = useRef(changes);
  useEffect(() => {
    // The first answer has what changed before.
    if (known.current !== changes) refresh();
    known.current = changes;
  }, [changes, refresh]);
  return { data, failure, refresh };
}
