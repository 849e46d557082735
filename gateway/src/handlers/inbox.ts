import type { WebSocket } from 'ws';

/** One message, or one other piece of work of a socket. */
type Work = () => void;

/** Pieces of work in one turn of the event loop, over all sockets: at most, and however long a turn takes. */
const mostPerTurn = 16;
const fewestPerTurn = 2;
/** Turns of the event loop that take longer get fewer pieces of work, in milliseconds. */
const longTurnMs = 15;

/**
 * Messages of all sockets. A few in one turn of the event loop run at once; after that the sources take
 * turns, so that one client that sends thousands delays others by a few of them only. What a piece costs is
 * not known before: while turns of the event loop are long, each gets fewer pieces, because an answer to
 * anybody takes several turns.
 */
export class Inbox {
  readonly #waiting = new Map<string, Work[]>();
  readonly #nowMs: () => number;
  #perTurn = mostPerTurn;
  #used = 0;
  #isScheduled = false;
  #turnBeganMs: number | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Runs the work of a source now or in a later turn, in order. */
  schedule(source: string, work: Work): void {
    const waiting = this.#waiting.get(source);
    if (waiting) return void waiting.push(work);
    if (this.#used < this.#perTurn && this.#waiting.size === 0) {
      this.#used++;
      this.#schedule();
      return work();
    }
    this.#waiting.set(source, [work]);
    this.#schedule();
  }

  /** Resolves when it is the source's turn; undefined if that is now. */
  turn(source: string): Promise<void> | undefined {
    if (this.#used < this.#perTurn && this.#waiting.size === 0) {
      this.#used++;
      this.#schedule();
      return undefined;
    }
    return new Promise((resolve) => this.schedule(source, resolve));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#used = 0;
      this.#adapt();
      this.#turn();
      if (this.#waiting.size > 0) this.#schedule();
      else this.#turnBeganMs = undefined;
    });
  }

  /** While work waits, the event loop does not rest: the time since the last turn is that of its work. */
  #adapt(): void {
    const now = this.#nowMs();
    const began = this.#turnBeganMs;
    this.#turnBeganMs = now;
    if (began === undefined) return;
    if (now - began > longTurnMs) this.#perTurn = Math.max(fewestPerTurn, this.#perTurn >> 1);
    else this.#perTurn = Math.min(mostPerTurn, this.#perTurn + 1);
  }

  #turn(): void {
    for (let left = this.#perTurn; left > 0 && this.#waiting.size > 0; left--) {
      const [next] = this.#waiting;
      if (!next) return;
      const [source, queue] = next;
      const work = queue.shift();
      // A source that has more goes to the end of the line.
      this.#waiting.delete(source);
      if (queue.length > 0) this.#waiting.set(source, queue);
      this.#used++;
      work?.();
    }
  }
}

/** Messages of one socket that may wait before the socket is not read any more. */
const mostWaiting = 256;

/** Work of one socket, in turn with that of other sources. */
export class SocketTurns {
  readonly #client: WebSocket;
  readonly #inbox: Inbox;
  #source: string;
  #waiting = 0;

  constructor(client: WebSocket, inbox: Inbox, source: string) {
    this.#client = client;
    this.#inbox = inbox;
    this.#source = source;
  }

  /** Later work counts for this source. */
  moveTo(source: string): void {
    this.#source = source;
  }

  run(work: Work): void {
    this.#waiting++;
    this.#inbox.schedule(this.#source, () => {
      this.#waiting--;
      if (this.#waiting === 0 && this.#client.isPaused) this.#client.resume();
      work();
    });
    if (this.#waiting > mostWaiting && this.#client.readyState === this.#client.OPEN) this.#client.pause();
  }
}
