import { isDomainError } from '@rhizome/errors';
import { repeat } from './leader-task.js';

/** Work that follows a stream from a recorded position. */
export interface Follower {
  /** Follows the stream until the end of the work. */
  follow(): Promise<void>;
  /** Removes the recorded position: the stream no longer reaches back to it. */
  forget(): Promise<void>;
  /** Reports an error, after which the stream is opened again. */
  onError(error: unknown): void;
  /** Delay after an error, in milliseconds; defaults to 500. */
  readonly retryMs?: number | undefined;
}

/** Follows a stream until the signal aborts, again after each error. Does not throw. */
export function keepFollowing(
  { follow, forget, onError, retryMs = 500 }: Follower,
  signal: AbortSignal,
): Promise<void> {
  const step = async (): Promise<void> => {
    try {
      await follow();
    } catch (error) {
      if (signal.aborted) return;
      if (isDomainError(error) && error.code === 'CURSOR_EXPIRED') await forget();
      throw error;
    }
  };
  return repeat(step, retryMs, signal, onError);
}
