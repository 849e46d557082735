/** Follows collections by a change stream: a reader is called at the start and after each change. */
import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import type { ChangeStream, Db, Timestamp } from 'mongodb';
import type { CollectionDefinition } from './collection.js';

/** A document that was written, or removed. */
export interface ChangedDocument {
  readonly collection: string;
  readonly id: unknown;
}

/** Options of {@link ChangeFollower}. */
export interface ChangeFollowerOptions {
  /** Opens a stream that sees every change from the call on. */
  readonly watch: () => Promise<ChangeStream>;
  /** Names the followed data in the log: `schema registry`. */
  readonly what: string;
  readonly log: Logger;
  /**
   * Called when something may have changed, with the documents that did; undefined for all of them, at the
   * start and after an outage. The next call waits for its end.
   */
  readonly refresh: (changed?: readonly ChangedDocument[]) => Promise<void>;
}

/**
 * Time between two polls, in milliseconds. A gateway polls its registry, revocations and rights: ten times a
 * second was half of the commands of an idle system.
 */
const pollEveryMs = 250;
/** Maximum number of changed documents that are named; more count as all. */
const maxNamed = 10_000;

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
  return db.watch([{ $match: wanted }, { $project: { operationType: 1, documentKey: 1, ns: 1 } }], {
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
      let changed: readonly ChangedDocument[] | undefined;
      while (!this.#stop.signal.aborted) {
        await refresh(changed);
        this.#connected = true;
        worked();
        changed = await changes.next();
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
        const change = await stream.tryNext();
        if (change) changes.announce(changedIn(change));
        else if (!(await sleep(pollEveryMs, this.#stop.signal))) break;
      }
      changes.fail(new Error('Change stream closed'));
    } catch (error) {
      changes.fail(error);
    }
  }
}

/** The document of an event of {@link watchCollections}; undefined for an event of another form. */
function changedIn(change: object): ChangedDocument | undefined {
  const { ns, documentKey } = change as { ns?: { coll?: string }; documentKey?: { _id?: unknown } };
  return ns?.coll === undefined ? undefined : { collection: ns.coll, id: documentKey?._id };
}

/** Pending changes; several changes count as one. */
class ChangeSignal {
  #isPending = false;
  #isNamed = true;
  #changed: ChangedDocument[] = [];
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  announce(changed: ChangedDocument | undefined): void {
    this.#isPending = true;
    if (changed === undefined || this.#changed.length >= maxNamed) this.#isNamed = false;
    else this.#changed.push(changed);
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Resolves when there is a change, with the documents if they are known; rejects when no more can come. */
  async next(): Promise<readonly ChangedDocument[] | undefined> {
    if (!this.#isPending && !this.#failure) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#failure) throw this.#failure.error;
    const changed = this.#isNamed ? this.#changed : undefined;
    this.#isPending = false;
    this.#isNamed = true;
    this.#changed = [];
    return changed;
  }
}
