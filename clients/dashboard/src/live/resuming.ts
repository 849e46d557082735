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

/** What opens one stream and never tries again by itself. Returns how to close it. */
export type OpenStream = (
  variables: Readonly<Record<string, unknown>>,
  sink: {
    readonly next: (result: LiveResult) => void;
    readonly error: (thrown: unknown) => void;
    readonly complete: () => void;
  },
) => () => void;

/** What is told of a stream. */
export interface LiveSink {
  /**
   * A message. `isFirst`: the first one since the stream was opened anew without its past: what it shows replaces what was shown before.
   * After a resume it is false, since nothing was missed.
   */
  readonly data: (data: Readonly<Record<string, unknown>>, isFirst: boolean) => void;
  /** It is open, or will be opened again after a wait. */
  readonly status: (status: StreamStatus) => void;
  /** It ended for good, with a failure that no further try would mend, or (null) because there is no more to tell. */
  readonly end: (failure: Failure | null) => void;
}

/** How a stream stands. */
export type StreamStatus =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'reconnecting';
      readonly attempt: number;
      readonly waitMs: number;
      readonly failure: Failure;
    };

/** What a stream is followed with. */
export interface FollowOptions {
  readonly open: OpenStream;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether the operation takes the last cursor as `after`. */
  readonly isResumable: boolean;
  readonly backoff?: BackoffOptions;
  /** Calls back later; returns how to prevent it. */
  readonly later: (action: () => void, ms: number) => () => void;
  readonly sink: LiveSink;
}

/**
 * Follows a stream: opened again after its last cursor whenever it breaks, with pauses that grow. Where the past is lost it begins anew and says
 * so with the first message. Returns how to stop.
 */
export function follow(options: FollowOptions): () => void {
  const { open, variables, isResumable, backoff, later, sink } = options;
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

  /** A message without data is the stream's failure; errors beside data are the message's own. */
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
    if (failure.retry === 'never' && !isPastLost) {
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
