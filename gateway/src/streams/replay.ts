import type { ClientStream } from './client-stream.js';
import { ahead, type CatchUp, type StreamEvent, type StreamRequest } from './types.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/**
 * The queue of clients that continue after cursors which the shared stream no longer has, as clients and
 * replays use it.
 */
export interface ResumerQueue {
  /** True if a client waits for a replay. */
  readonly hasWaitingClients: boolean;
  /** Assigns a client by its cursor: to the shared stream, to a replay at that cursor, or to the queue. */
  enter(resumer: Resumer): void;
  /** A waiting client has disconnected. */
  leave(resumer: Resumer): void;
  /**
   * A replay has reached a cursor and picks up the clients that wait there. @returns true if the replay is
   * over because the shared stream or another replay covers the rest
   */
  arrive(replay: Replay, cursor: string): boolean;
  /**
   * A replay that started at the present has met the shared stream, which is therefore at the present, too.
   */
  atPresent(): void;
  /** A replay is over. */
  gone(replay: Replay): void;
}

/** Milliseconds after which a replay no longer waits for a client that reads nothing. */
const idleMs = 250;
/**
 * Maximum time that a replay waits at once, in milliseconds, however many clients drain one after the other.
 */
const waitMs = 2000;

/** A client between its cursor and the shared stream: it waits, or reads a replay with others. */
export class Resumer implements CatchUp {
  readonly client: ClientStream;
  readonly #queue: ResumerQueue;
  #cursor: string;
  #behind = 0;
  /** Time at which it last had read everything, or began to read a replay; in milliseconds of the process. */
  #readAt = 0;
  #replay: Replay | undefined;
  /** True if it has left the replay as a slow consumer; it returns when it has read everything. */
  #isPaused = false;
  #isClosed = false;

  constructor(client: ClientStream, cursor: string, queue: ResumerQueue) {
    this.client = client;
    this.#cursor = cursor;
    this.#queue = queue;
  }

  /** The cursor after which it continues. */
  get cursor(): string {
    return this.#cursor;
  }

  /** True if so much is unread that it should get no more. */
  get isBehind(): boolean {
    return this.#behind >= ahead;
  }

  /** True if it has used up the waiting time without reading. */
  get isSlow(): boolean {
    return this.isBehind && performance.now() - this.#readAt >= idleMs;
  }

  /** Joins a replay. */
  read(replay: Replay): void {
    if (!this.isBehind) this.#readAt = performance.now();
    this.#replay = replay;
  }

  deliver(event: StreamEvent): void {
    if (this.#isClosed) return;
    if (event.cursor !== undefined) this.#cursor = event.cursor;
    this.#behind = this.client.addOwn(event) ? this.#behind + 1 : 0;
  }

  /** Leaves its replay until it has read everything it received. */
  pause(): void {
    this.#replay = undefined;
    this.#isPaused = true;
  }

  drained(): void {
    this.#behind = 0;
    this.#readAt = performance.now();
    this.#replay?.drained();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#queue.enter(this);
  }

  sharedReached(): void {
    this.#queue.enter(this);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isPaused = false;
    this.#replay?.leave(this);
    this.#queue.leave(this);
  }
}

/**
 * One upstream from an old cursor on, for all clients whose cursors it passes. It waits for them while they
 * read; slow consumers leave it and come back later, so that nobody delays others and nothing is buffered for
 * anybody.
 */
export class Replay implements CatchUp, UpstreamSink {
  readonly #queue: ResumerQueue;
  readonly #members = new Set<Resumer>();
  #cursor: string;
  #upstream: Upstream | undefined;
  #onDrained: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitsSince = 0;
  #isStalled = false;
  #isClosed = false;
  #startedAtPresent: boolean;

  /** `startedAtPresent`: it started at the present, not at the cursor of a client. */
  constructor(queue: ResumerQueue, cursor: string, startedAtPresent = false) {
    this.#queue = queue;
    this.#cursor = cursor;
    this.#startedAtPresent = startedAtPresent;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The last cursor that it has passed, or the one that it began after. */
  get cursor(): string {
    return this.#cursor;
  }

  /** True if it waits for clients and none of them reads. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** The requests of its readers, any of which may open it. */
  *requests(): Generator<StreamRequest> {
    for (const { client } of this.#members) yield client.request;
  }

  /** The upstream that feeds it; set once. */
  feedBy(upstream: Upstream): void {
    if (this.#isClosed) upstream.close();
    else this.#upstream = upstream;
  }

  /** Adds a client whose cursor is this one's. */
  addResumer(resumer: Resumer): void {
    this.#members.add(resumer);
    resumer.read(this);
    if (this.#isStalled && !resumer.isBehind) this.#leaveBehind();
  }

  leave(resumer: Resumer): void {
    this.#members.delete(resumer);
    if (this.#members.size === 0) this.close();
  }

  /** Moves its clients to another replay at the same cursor. */
  mergeInto(other: Replay): void {
    const members = [...this.#members];
    this.#members.clear();
    this.close();
    other.#startedAtPresent ||= this.#startedAtPresent;
    for (const resumer of members) other.addResumer(resumer);
  }

  /** Moves its clients to their positions in the shared stream. */
  dissolve(): void {
    if (this.#startedAtPresent) this.#queue.atPresent();
    const members = [...this.#members];
    this.#members.clear();
    this.close();
    for (const resumer of members) this.#queue.enter(resumer);
  }

  /**
   * Ends it to free capacity for waiting clients; its own clients, all behind, come back when they have read
   * everything.
   */
  releaseSlot(): void {
    for (const resumer of this.#members) resumer.pause();
    this.#members.clear();
    this.close();
  }

  event(event: StreamEvent): void | Promise<void> {
    if (this.#isClosed) return;
    for (const resumer of [...this.#members]) resumer.deliver(event);
    if (this.#isClosed) return;
    if (event.cursor !== undefined) {
      if (this.#queue.arrive(this, event.cursor)) return;
      this.#cursor = event.cursor;
    }
    return this.#waitForReaders();
  }

  end(last: StreamEvent | undefined): void {
    if (this.#isClosed) return;
    const members = [...this.#members];
    this.#members.clear();
    this.close();
    for (const { client } of members) client.end(last ? 'failed' : 'complete', last);
  }

  drained(): void {
    if (!this.#onDrained) return;
    if (this.#isStalled) return this.#leaveBehind();
    if (this.#behind().length === 0) return this.#release();
    if (performance.now() - this.#waitsSince < waitMs) this.#watch();
  }

  sharedReached(): void {
    this.dissolve();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.gone(this);
    this.#upstream?.close();
    this.#release();
  }

  #behind(): Resumer[] {
    return [...this.#members].filter(({ isBehind }) => isBehind);
  }

  #waitForReaders(): void | Promise<void> {
    const behind = this.#behind();
    if (behind.length === 0) return;
    const slow = behind.filter(({ isSlow }) => isSlow);
    if (slow.length < this.#members.size) {
      this.#leaveOut(slow);
      if (slow.length === behind.length) return;
    }
    this.#waitsSince = performance.now();
    this.#watch();
    return new Promise((resolve) => (this.#onDrained = resolve));
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const isNobodyLeft = this.#behind().length === this.#members.size;
      if (!isNobodyLeft) return this.#leaveBehind();
      if (this.#queue.hasWaitingClients) return this.releaseSlot();
      this.#isStalled = true;
    }, idleMs);
    this.#timer.unref();
  }

  /** Continues with the clients that have read. */
  #leaveBehind(): void {
    this.#leaveOut(this.#behind());
    this.#release();
  }

  #leaveOut(those: readonly Resumer[]): void {
    for (const resumer of those) {
      this.#members.delete(resumer);
      resumer.pause();
    }
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#isStalled = false;
    const onDrained = this.#onDrained;
    this.#onDrained = undefined;
    onDrained?.();
  }
}
