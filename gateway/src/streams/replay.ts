import type { ClientStream } from './client-stream.js';
import { ahead, type CatchUp, type StreamEvent, type StreamRequest } from './types.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/** Where clients wait who go on after cursors that the shared stream no longer knows, as they and their replays see it. */
export interface ResumerQueue {
  /** Whether somebody waits for a replay. */
  readonly isWaitedIn: boolean;
  /** Finds a place for a client by its cursor: in the shared stream, in a replay that stands there, or in the line. */
  enter(resumer: Resumer): void;
  /** A client that waits has left. */
  leave(resumer: Resumer): void;
  /**
   * A replay has come to a cursor: who waits for it comes along. @returns whether the replay is over, since the shared
   * stream or another replay has been there
   */
  arrive(replay: Replay, cursor: string): boolean;
  /** A replay that started with the present has met the shared stream, which is therefore at the present, too. */
  atPresent(): void;
  /** A replay is over. */
  gone(replay: Replay): void;
}

/** Milliseconds after which a replay no longer waits for a client that reads nothing. */
const idleMs = 250;
/** Nor does a replay wait longer than this at a time, in milliseconds, however many make room one after the other. */
const waitMs = 2000;

/** One client on its way from a cursor to the shared stream: it waits, or reads a replay with others. */
export class Resumer implements CatchUp {
  readonly client: ClientStream;
  readonly #line: ResumerQueue;
  #cursor: string;
  #behind = 0;
  /** When it last had read all, or began to read a replay; in milliseconds of the process. */
  #readAt = 0;
  #replay: Replay | undefined;
  /** Out of the replay because it read too slowly; it comes back when it has read all. */
  #isPaused = false;
  #isClosed = false;

  constructor(client: ClientStream, cursor: string, line: ResumerQueue) {
    this.client = client;
    this.#cursor = cursor;
    this.#line = line;
  }

  /** What it goes on after. */
  get cursor(): string {
    return this.#cursor;
  }

  /** Whether it has so much to read that it should be given no more. */
  get isBehind(): boolean {
    return this.#behind >= ahead;
  }

  /** Whether it has had all the time that one is waited for, and has not read. */
  get isSlow(): boolean {
    return this.isBehind && performance.now() - this.#readAt >= idleMs;
  }

  /** Reads a replay from now on. */
  read(replay: Replay): void {
    if (!this.isBehind) this.#readAt = performance.now();
    this.#replay = replay;
  }

  take(event: StreamEvent): void {
    if (this.#isClosed) return;
    if (event.cursor !== undefined) this.#cursor = event.cursor;
    this.#behind = this.client.give(event) ? this.#behind + 1 : 0;
  }

  /** Is out of its replay until it has read what it was given. */
  pause(): void {
    this.#replay = undefined;
    this.#isPaused = true;
  }

  hasRoom(): void {
    this.#behind = 0;
    this.#readAt = performance.now();
    this.#replay?.hasRoom();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#line.enter(this);
  }

  meet(): void {
    this.#line.enter(this);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isPaused = false;
    this.#replay?.leave(this);
    this.#line.leave(this);
  }
}

/**
 * One upstream from an old cursor on, for all clients whose cursors it passes. It waits for them as long as they read;
 * who reads too slowly leaves it and comes back, so that nobody keeps others waiting and nothing is held for anybody.
 */
export class Replay implements CatchUp, UpstreamSink {
  readonly #line: ResumerQueue;
  readonly #members = new Set<Resumer>();
  #cursor: string;
  #upstream: Upstream | undefined;
  #onRoom: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitsSince = 0;
  #isStalled = false;
  #isClosed = false;
  #isFromPresent: boolean;

  /** `isFromPresent`: it started with the present, not with the cursor of a client. */
  constructor(line: ResumerQueue, cursor: string, isFromPresent = false) {
    this.#line = line;
    this.#cursor = cursor;
    this.#isFromPresent = isFromPresent;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The last cursor that it has passed, or the one that it began after. */
  get cursor(): string {
    return this.#cursor;
  }

  /** Whether it waits for clients of whom none reads. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** The requests of those who read it: any of them may open it. */
  *requests(): Generator<StreamRequest> {
    for (const { client } of this.#members) yield client.request;
  }

  /** The upstream that feeds it; set once. */
  feedBy(upstream: Upstream): void {
    if (this.#isClosed) upstream.close();
    else this.#upstream = upstream;
  }

  /** Lets a client in whose cursor is this one's. */
  admit(resumer: Resumer): void {
    this.#members.add(resumer);
    resumer.read(this);
    if (this.#isStalled && !resumer.isBehind) this.#leaveBehind();
  }

  leave(resumer: Resumer): void {
    this.#members.delete(resumer);
    if (this.#members.size === 0) this.close();
  }

  /** Hands its clients over to another replay that stands where it stands. */
  mergeInto(other: Replay): void {
    const members = [...this.#members];
    this.#members.clear();
    this.close();
    other.#isFromPresent ||= this.#isFromPresent;
    for (const resumer of members) other.admit(resumer);
  }

  /** Sends its clients to their places in the shared stream. */
  dissolve(): void {
    if (this.#isFromPresent) this.#line.atPresent();
    const members = [...this.#members];
    this.#members.clear();
    this.close();
    for (const resumer of members) this.#line.enter(resumer);
  }

  /** Ends it for the sake of those who wait for a replay: its clients, all behind, come back when they have read. */
  giveWay(): void {
    for (const resumer of this.#members) resumer.pause();
    this.#members.clear();
    this.close();
  }

  event(event: StreamEvent): void | Promise<void> {
    if (this.#isClosed) return;
    for (const resumer of [...this.#members]) resumer.take(event);
    if (this.#isClosed) return;
    if (event.cursor !== undefined) {
      if (this.#line.arrive(this, event.cursor)) return;
      this.#cursor = event.cursor;
    }
    return this.#waitForRoom();
  }

  end(last: StreamEvent | undefined): void {
    if (this.#isClosed) return;
    const members = [...this.#members];
    this.#members.clear();
    this.close();
    for (const { client } of members) client.end(last ? 'failed' : 'complete', last);
  }

  hasRoom(): void {
    if (!this.#onRoom) return;
    if (this.#isStalled) return this.#leaveBehind();
    if (this.#behind().length === 0) return this.#release();
    if (performance.now() - this.#waitsSince < waitMs) this.#watch();
  }

  meet(): void {
    this.dissolve();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#line.gone(this);
    this.#upstream?.close();
    this.#release();
  }

  #behind(): Resumer[] {
    return [...this.#members].filter(({ isBehind }) => isBehind);
  }

  #waitForRoom(): void | Promise<void> {
    const behind = this.#behind();
    if (behind.length === 0) return;
    const slow = behind.filter(({ isSlow }) => isSlow);
    if (slow.length < this.#members.size) {
      this.#leaveOut(slow);
      if (slow.length === behind.length) return;
    }
    this.#waitsSince = performance.now();
    this.#watch();
    return new Promise((resolve) => (this.#onRoom = resolve));
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const isNobodyLeft = this.#behind().length === this.#members.size;
      if (!isNobodyLeft) return this.#leaveBehind();
      if (this.#line.isWaitedIn) return this.giveWay();
      this.#isStalled = true;
    }, idleMs);
    this.#timer.unref();
  }

  /** Goes on with those who have read. */
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
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }
}
