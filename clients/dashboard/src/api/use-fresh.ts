import type { TypedDocumentNode } from '@rhizome/client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import { failureOfQuery } from './api.js';

/** What a query gave last. */
export interface Fresh<Data> {
  readonly data: Data | undefined;
  readonly failure: string | null;
  /** Asks again soon; many calls within a second are one. */
  readonly refresh: () => void;
}

const SOON_MS = 700;

/** The answer of a query, asked again whenever a stream says that something changed. What was shown stays until the next answer. */
export function useFresh<Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Fresh<Data> {
  const client = useClient();
  const [data, setData] = useState<Data>();
  const [failure, setFailure] = useState<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const key = JSON.stringify(variables);
  const ask = useCallback(async (): Promise<void> => {
    const { data: found, error } = await client
      .query<Data, Variables>(document, JSON.parse(key) as Variables, { requestPolicy: 'network-only' })
      .toPromise();
    if (found !== undefined) setData(found);
    setFailure(error ? failureOfQuery(error).message : null);
  }, [client, document, key]);
  const refresh = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void ask();
    }, SOON_MS);
  }, [ask]);
  useEffect(() => {
    void ask();
    return () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [ask]);
  return { data, failure, refresh };
}
