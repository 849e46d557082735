import { Backoff, sleep } from '@rhizome/retry';

/** Notices of written documents, from the event stream of the process. */
export interface StoreNotices {
  onWritten(collection: string, listener: (ids: readonly string[]) => void): () => void;
  /** Calls the listener when notices may have been missed. */
  onReset(listener: () => void): () => void;
}

/** Memory that follows a collection. */
export interface Followed {
  /** Name of the collection. */
  readonly name: string;
  /** Reads everything again. */
  load(): Promise<void>;
  /** Reads these documents again. */
  refresh(ids: readonly string[]): Promise<void>;
}

/**
 * Refreshes memory by notices. A read is repeated until it succeeds: a change that is missed would stay
 * unknown.
 * @param failed called with the error of each read that failed
 * @returns function that stops it
 */
export function followNotices(
  notices: StoreNotices,
  memory: Followed,
  failed: (error: unknown) => void,
): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  const insist = async (read: () => Promise<void>): Promise<void> => {
    for (const backoff = new Backoff(); !signal.aborted; await sleep(backoff.next(), signal)) {
      try {
        return await read();
      } catch (error) {
        failed(error);
      }
    }
  };
  const stops = [
    notices.onWritten(memory.name, (ids) => void insist(() => memory.refresh(ids))),
    notices.onReset(() => void insist(() => memory.load())),
  ];
  return () => {
    stopping.abort();
    for (const stop of stops) stop();
  };
}
