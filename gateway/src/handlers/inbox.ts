import type { WebSocket } from 'ws';

/** One message, or one other piece of work of a socket. */
type Work = () => void;

/** Pieces of work in one turn of the event loop, over all sockets. */
const perTurn = 16;

/**
 * Messages of all sockets. A few in one turn of the event loop run at once; after that the sources take
 * turns, so that one client that sends thousands delays others by a few of them only.
 */
export class Inbox {
  readonly #waiting = new Map<string, Work[]>();
  #used = 0;
  #isScheduled = false;

  /** Runs the work of a source now or in a later turn, in order. */
  schedule(source: string, work: Work): void {
    const waiting = this.#waiting.get(source);
    if (waiting) return void waiting.push(work);
    if (this.#used < perTurn && this.#waiting.size === 0) {
      this.#used++;
      this.#schedule();
      return work();
    }
    this.#waiting.set(source, [work]);
    this.#schedule();
  }

  /** Resolves when it is the source's turn; undefined if that is now. */
  turn(source: string): Promise<void> | undefined {
    if (this.#used < perTurn && this.#waiting.size === 0) {
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
      this.#turn();
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  #turn(): void {
    for (let left = perTurn; left > 0 && this.#waiting.size > 0; left--) {
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
