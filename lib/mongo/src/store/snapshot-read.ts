import { sleep } from '@rhizome/retry';
import { type ClientSession, type MongoClient, MongoServerError } from 'mongodb';

/** A time of the store: seconds since 1970, and a counter within that second. */
export interface StoreTime {
  readonly t: number;
  readonly i: number;
}

/** Value that was read, and the time of the store as of which it was read. */
export interface SnapshotRead<T> {
  readonly value: T;
  readonly at: StoreTime;
}

/**
 * Error code of the server: it cannot read at a time yet at which collections or indexes were just created.
 */
const notYet = 246;
const maxTries = 50;
const waitMs = 200;

/**
 * Reads as of one time of the store: the result contains all writes up to it and none after it.
 * @param read runs its reads one after another in the given session; repeated while the store cannot read yet
 * @throws the driver's error when the store cannot be read as of one time
 */
export async function readSnapshot<T>(
  client: MongoClient,
  read: (session: ClientSession) => Promise<T>,
  signal?: AbortSignal,
): Promise<SnapshotRead<T>> {
  for (let tries = 1; ; tries++) {
    const session = client.startSession({ snapshot: true });
    try {
      const value = await read(session);
      return { value, at: timeOf(session) };
    } catch (error) {
      const mayRetry = error instanceof MongoServerError && error.code === notYet && tries < maxTries;
      if (!mayRetry || signal?.aborted) throw error;
      if (!(await sleep(waitMs, signal))) throw error;
    } finally {
      await session.endSession();
    }
  }
}

/** Set by the first read of the session; the driver does not show it in its types. */
function timeOf(session: ClientSession): StoreTime {
  const at = (session as { snapshotTime?: StoreTime }).snapshotTime;
  if (!at) throw new Error('the store returned no time of its snapshot');
  return at;
}
