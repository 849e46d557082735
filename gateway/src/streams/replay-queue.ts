import { PresentUpstream } from './present-upstream.js';
import type { ClientStream } from './client-stream.js';
import { type ResumerQueue, Replay, Resumer } from './replay.js';
import type { SharedStream } from './shared-stream.js';
import type { StreamRequest } from './types.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/** Parameters of an upstream that is opened alongside the shared one. */
export interface Replayed extends UpstreamSink {
  /** Cursor to start after; undefined: the present. */
  readonly cursor: string | undefined;
  requests(): Iterable<StreamRequest>;
}

/** Concurrent replays of one shared stream while no client waits long. */
const atOnce = 4;
/** Waiting time after which one more replay may run, in milliseconds. */
const stallTimeoutMs = 1000;
/** Maximum number of concurrent replays of one shared stream. */
const most = 64;

/**
 * Clients that continue after cursors which the shared stream no longer has. Cursors have no visible order,
 * so replays begin at the cursors of some clients and pick up each client whose cursor they pass: a thousand
 * clients at as many cursors need some ten replays if these begin at random.
 */
export class ReplayQueue implements ResumerQueue {
  readonly #shared: SharedStream;
  readonly #openUpstream: (replay: Replayed) => Upstream;
  readonly #waiting = new Map<string, Set<Resumer>>();
  /** By the cursor of each client. */
  readonly #replays = new Map<string, Replay>();
  #present: PresentUpstream | undefined;
  #limit = atOnce;
  #timer: NodeJS.Timeout | undefined;

  constructor(shared: SharedStream, openUpstream: (replay: Replayed) => Upstream) {
    this.#shared = shared;
    this.#openUpstream = openUpstream;
  }

  get hasWaitingClients(): boolean {
    return this.#waiting.size > 0;
  }

  /** Brings a client from its cursor to the shared stream. */
  bring(client: ClientStream, cursor: string): void {
    const resumer = new Resumer(client, cursor, this);
    client.catchUpBy(resumer);
    this.enter(resumer);
  }

  /** Serves a client that starts at the present; one upstream serves all of them. */
  begin(client: ClientStream): void {
    const present = this.#present;
    if (present && !present.isClosed && this.#joinPresent(client, present)) return;
    const opened = new PresentUpstream((clients, cursor, upstream) =>
      this.#proceed(clients, cursor, upstream),
    );
    this.#present = opened;
    opened.addClient(client);
    opened.feedBy(this.#openUpstream(opened));
  }

  enter(resumer: Resumer): void {
    const { cursor } = resumer;
    this.leave(resumer);
    const position = this.#shared.history.after(cursor);
    if (position !== undefined) return resumer.client.continueAt(position);
    const replay = this.#replays.get(cursor);
    if (replay) return replay.addResumer(resumer);
    this.#shared.expect(resumer, cursor);
    const those = this.#waiting.get(cursor);
    if (those) those.add(resumer);
    else this.#waiting.set(cursor, new Set([resumer]));
    this.#open();
  }

  leave(resumer: Resumer): void {
    const { cursor } = resumer;
    const those = this.#waiting.get(cursor);
    if (!those?.delete(resumer)) return;
    this.#shared.forget(resumer, cursor);
    if (those.size === 0) this.#waiting.delete(cursor);
    this.#watch();
  }

  arrive(replay: Replay, cursor: string): boolean {
    this.#forget(replay);
    if (this.#shared.history.after(cursor) !== undefined) {
      for (const resumer of this.#removeWaiting(cursor)) replay.addResumer(resumer);
      replay.dissolve();
      return true;
    }
    const other = this.#replays.get(cursor);
    if (other) {
      replay.mergeInto(other);
      return true;
    }
    this.#replays.set(cursor, replay);
    this.#shared.expect(replay, cursor);
    for (const resumer of this.#removeWaiting(cursor)) replay.addResumer(resumer);
    return false;
  }

  atPresent(): void {
    this.#shared.isLive = true;
  }

  gone(replay: Replay): void {
    this.#forget(replay);
    // The caller that ends it may have more to do first.
    queueMicrotask(() => this.#open());
  }

  #joinPresent(client: ClientStream, present: PresentUpstream): boolean {
    if (!present.continuation) {
      present.addClient(client);
      return true;
    }
    const { cursor } = present.continuation;
    const { plan, variables } = this.#shared.options;
    const text = plan.openingMessage(variables, cursor);
    if (text === undefined) return false;
    client.addOwn({ text, cursor, codes: [] });
    this.bring(client, cursor);
    return true;
  }

  /**
   * Converts the upstream from the present, which has received its first cursor, into a replay like others.
   */
  #proceed(clients: ClientStream[], cursor: string, upstream: Upstream): Replay | undefined {
    const isKnown = this.#shared.history.after(cursor) !== undefined;
    if (isKnown) this.atPresent();
    const isNeeded = !isKnown && !this.#replays.has(cursor);
    const replay = isNeeded ? new Replay(this, cursor, true) : undefined;
    if (replay) {
      this.#replays.set(cursor, replay);
      this.#shared.expect(replay, cursor);
      for (const resumer of this.#removeWaiting(cursor)) replay.addResumer(resumer);
      replay.feedBy(upstream);
    }
    for (const client of clients) this.bring(client, cursor);
    if (!replay) upstream.close();
    return replay;
  }

  #forget(replay: Replay): void {
    if (this.#replays.get(replay.cursor) !== replay) return;
    this.#replays.delete(replay.cursor);
    this.#shared.forget(replay, replay.cursor);
  }

  #removeWaiting(cursor: string): Iterable<Resumer> {
    const those = this.#waiting.get(cursor);
    if (!those) return [];
    this.#waiting.delete(cursor);
    for (const resumer of those) this.#shared.forget(resumer, cursor);
    this.#watch();
    return those;
  }

  /** Begins as many replays as may run. */
  #open(): void {
    while (this.hasWaitingClients && this.#hasCapacity()) {
      const cursors = [...this.#waiting.keys()];
      const cursor = cursors[Math.floor(Math.random() * cursors.length)] ?? '';
      const replay = new Replay(this, cursor);
      this.#replays.set(cursor, replay);
      this.#shared.expect(replay, cursor);
      for (const resumer of this.#removeWaiting(cursor)) replay.addResumer(resumer);
      replay.feedBy(this.#openUpstream(replay));
    }
    this.#watch();
  }

  /** Replays that wait for their clients do not count. */
  #hasCapacity(): boolean {
    if (this.#replays.size < this.#limit) return true;
    const stalled = [...this.#replays.values()].find(({ isStalled }) => isStalled);
    stalled?.releaseSlot();
    return stalled !== undefined;
  }

  /** While a client waits, the number of allowed replays grows. */
  #watch(): void {
    if (!this.hasWaitingClients) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#limit = atOnce;
      return;
    }
    if (this.#timer) return;
    this.#timer = setInterval(() => {
      if (this.#limit < most) this.#limit++;
      this.#open();
    }, stallTimeoutMs);
    this.#timer.unref();
  }
}
