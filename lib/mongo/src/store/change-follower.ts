/** Follows collections by a change stream: a reader is called at the start and after each change. */
import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import type { ChangeStream, Db, Timestamp } from 'mongodb';
import type { CollectionDefinition } from './collection.js';

/** Options of {@link ChangeFollower}. */
export interface ChangeFollowerOptions {
  /** Opens a stream that sees every change from the call on. */
  readonly watch: () => Promise<ChangeStream>;
  /** Names the followed data in the log: `schema registry`. */
  readonly what: string;
  readonly log: Logger;
  /** Called when something may have changed; the next call waits for its end. */
  readonly refresh: () => Promise<void>;
}

const pollEveryMs = 100;

/** Opens a stream of the changes of these collections, from the call on, for a {@link ChangeFollower}. */
export async function watchCollections(
  db: Db,
  followed: readonly Pick<CollectionDefinition, 'name'>[],
): Promise<ChangeStream> {
  const { operationTime } = await db.command({ ping: 1 });
  const wanted = {
    'ns.coll': { $in: followed.map(({ name }) => name) },
    operationType: { $in: ['insert', 'update', 'replace', 'delete'] },
  };
  return db.watch([{ $match: wanted }, { $project: { operationType: 1, documentKey: 1 } }], {
    startAtOperationTime: operationTime as Timestamp,
    // The follower polls from time to time.
    maxAwaitTimeMS: 1,
  });
}

/** Reads at startup, and again after each write; continues after an outage of the store. */
export class ChangeFollower {
  readonly #options: ChangeFollowerOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #stream: ChangeStream | undefined;
  #connected = true;

  constructor(options: ChangeFollowerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** True while changes are received. */
  get isConnected(): boolean {
    return this.#connected;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#stream?.close().catch(() => undefined);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        await this.#follow(() => backoff.reset());
      } catch (error) {
        if (signal.aborted) return;
        this.#connected = false;
        const waitMs = backoff.next();
        const { failures } = backoff;
        const { log, what } = this.#options;
        log.warn({ err: error, failures, waitMs }, `${what} lost; retrying`);
        await sleep(waitMs, signal);
      }
    }
  }

  /**
   * The stream opens before the first read, so that no change falls between the two. A change during a read
   * causes one more read.
   */
  async #follow(worked: () => void): Promise<void> {
    const { watch, refresh } = this.#options;
    const stream = (this.#stream = await watch());
    const changes = new ChangeSignal();
    const reading = this.#read(stream, changes);
    try {
      while (!this.#stop.signal.aborted) {
        await refresh();
        this.#connected = true;
        worked();
        await changes.next();
      }
    } finally {
      await stream.close().catch(() => undefined);
      await reading;
    }
  }

  /**
   * Polls from time to time: a blocking read on the server would wake up for every write in the whole store,
   * thousands per second.
   */
  async #read(stream: ChangeStream, changes: ChangeSignal): Promise<void> {
    try {
      while (!stream.closed) {
        if (await stream.tryNext()) changes.announce();
        else if (!(await sleep(pollEveryMs, this.#stop.signal))) break;
      }
      changes.fail(new Error('Change stream closed'));
    } catch (error) {
      changes.fail(error);
    }
  }
}

/** A flag for pending changes; several changes count as one. */
class ChangeSignal {
  #isPending = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  announce(): void {
    this.#isPending = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Resolves when there is a change; rejects when no more can come. */
  async next(): Promise<void> {
    if (!this.#isPending && !this.#failure) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#failure) throw this.#failure.error;
    this.#isPending = false;
  }
}
