import type { TypedDocumentNode } from '@rhizome/client';
import { useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';
import type { LiveExtensions } from './api.js';

/** State of a live view. */
export interface Live<State> {
  readonly state: State;
  /** Reason why the stream ended; null while it is open. */
  readonly failure: string | null;
}

/**
 * Folds the messages of a stream into a state. With `isFirst`, the message starts the stream again and
 * replaces the previous state. A null document waits.
 */
export function useLive<Data, Variables extends Record<string, unknown>, State>(
  document: TypedDocumentNode<Data, Variables> | null,
  variables: Variables,
  fold: (before: State, data: Data, isFirst: boolean) => State,
  initial: State,
): Live<State> {
  const client = useClient();
  const [state, setState] = useState(initial);
  const [failure, setFailure] = useState<string | null>(null);
  const latestFold = useRef(fold);
  latestFold.current = fold;
  const key = JSON.stringify(variables);
  useEffect(() => {
    if (document === null) return undefined;
    setFailure(null);
    const { unsubscribe } = client
      .subscription<Data, Variables>(document, JSON.parse(key) as Variables)
      .subscribe(({ data, error, extensions }) => {
        if (error) setFailure(error.message.replace(/^\[(GraphQL|Network)\] /, ''));
        if (data === undefined || data === null) return;
        const { isFirst = false } = (extensions ?? {}) as LiveExtensions;
        setState((before) => latestFold.current(before, data, isFirst));
      });
    return unsubscribe;
  }, [client, document, key]);
  return { state, failure };
}
