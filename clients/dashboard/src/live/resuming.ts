import { backoffMs, type BackoffOptions } from '@rhizome/retry/backoff';
import { type Failure, failureOf, ofGraphql } from './failure.js';

/** A result of a subscription. */
export interface LiveResult {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: Readonly<Record<string, unknown>>;
  }[];
}

/** Opens one stream without any retry. Returns a function that closes it. */
export type OpenStream = (
  variables: Readonly<Record<string, unknown>>,
  sink: {
    readonly next: (result: LiveResult) => void;
    readonly error: (thrown: unknown) => void;
    readonly complete: () => void;
  },
) => () => void;

/** Callbacks of a stream. */
export interface LiveSink {
  /**
   * Called for a message. `isFirst` is true for the first message of a stream that started again without its
   * past; it replaces the previous state. After a resume it is false, because nothing was missed.
   */
  readonly data: (data: Readonly<Record<string, unknown>>, isFirst: boolean) => void;
  /** It is open, or will be opened again after a wait. */
  readonly status: (status: StreamStatus) => void;
  /** Called at the end, with a failure that a retry would not fix, or with null if the stream is complete. */
  readonly end: (failure: Failure | null) => void;
}

/** State of a stream. */
export type StreamStatus =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'reconnecting';
      readonly attempt: number;
      readonly waitMs: number;
      readonly failure: Failure;
    };

/** Options of a followed stream. */
export interface FollowOptions {
  readonly open: OpenStream;
  readonly variables: Readonly<Record<string, unknown>>;
  /** True if the operation takes the last cursor as `after`. */
  readonly isResumable: boolean;
  /** True if another token is used for each attempt, so that one that has expired is no reason to end. */
  readonly isRenewed?: boolean;
  readonly backoff?: BackoffOptions;
  /** Calls back later; returns how to prevent it. */
  readonly later: (action: () => void, ms: number) => () => void;
  readonly sink: LiveSink;
}

/**
 * Follows a stream: opens it again after its last cursor whenever it breaks, with growing pauses. If the past
 * is lost, the stream starts again and its first message says so. Returns a function that stops it.
 */
export function follow(options: FollowOptions): () => void {
  const { open, variables, isResumable, isRenewed = false, backoff, later, sink } = options;
  let cursor: string | undefined;
  let attempt = 0;
  // Who gives a cursor knows the past up to there.
  let isFirst = variables['after'] === undefined;
  let isOpen = false;
  let base = variables;
  let isStopped = false;
  let close: (() => void) | undefined;
  let cancelWait: (() => void) | undefined;

  const start = (): void => {
    // Messages of a stream that was given up may still be on their way.
    let isCurrent = true;
    const current = (action: () => void) => (): void => {
      if (isCurrent && !isStopped) action();
    };
    const fail = (failure: Failure): void => {
      isCurrent = false;
      recover(failure);
    };
    close = open(isResumable && cursor !== undefined ? { ...base, after: cursor } : base, {
      next: (result) =>
        current(() => {
          const failure = take(result);
          if (failure) fail(failure);
        })(),
      error: (thrown) => current(() => fail(failureOf(thrown)))(),
      complete: current(() => {
        isCurrent = false;
        isStopped = true;
        sink.end(null);
      }),
    });
  };

  /** A message without data is a failure of the stream; errors next to data belong to the message. */
  const take = ({ data, errors }: LiveResult): Failure | undefined => {
    if (!data || Object.values(data).every((value) => value === null)) {
      const [error] = errors ?? [];
      if (error) return ofGraphql(error);
      return undefined;
    }
    if (!isOpen) sink.status({ kind: 'open' });
    isOpen = true;
    attempt = 0;
    sink.data(data, isFirst);
    isFirst = false;
    cursor = cursorIn(data) ?? cursor;
    return undefined;
  };

  const recover = (failure: Failure): void => {
    close?.();
    isOpen = false;
    attempt += 1;
    const isPastLost = failure.code === 'CURSOR_EXPIRED';
    if (isPastLost) {
      cursor = undefined;
      const { after: _after, ...fresh } = base;
      base = fresh;
    }
    const isRenewable = isRenewed && failure.code === 'TOKEN_EXPIRED';
    if (failure.retry === 'never' && !isPastLost && !isRenewable) {
      isStopped = true;
      sink.end(failure);
      return;
    }
    if (isPastLost || !isResumable) isFirst = true;
    const waitMs = isPastLost && attempt === 1 ? 0 : backoffMs(attempt, backoff);
    sink.status({ kind: 'reconnecting', attempt, waitMs, failure });
    cancelWait = later(start, waitMs);
  };

  start();
  return () => {
    isStopped = true;
    cancelWait?.();
    close?.();
  };
}

/** The cursor of a message: that of its one root field. */
function cursorIn(data: Readonly<Record<string, unknown>>): string | undefined {
  const [message] = Object.values(data);
  const found = (message as { readonly cursor?: unknown } | null | undefined)?.cursor;
  return typeof found === 'string' ? found : undefined;
}
