import type { Duplex } from 'node:stream';

/**
 * Messages that one socket may send in one turn of the event loop before its sender waits for the next turn.
 */
const perTurn = 32;

/**
 * Corks sockets until the end of the event-loop turn, so that all messages of a turn leave in one system
 * call. Pauses senders that would write without end, so that others can run.
 */
export class Flusher {
  #corked = new Map<Duplex, number>();
  #afterTurn: Promise<void> | undefined;

  /** Call it before a write. If it returns a promise, wait for that before the next write. */
  beforeWrite(socket: Duplex): Promise<void> | undefined {
    const written = this.#corked.get(socket);
    if (written === undefined) socket.cork();
    this.#corked.set(socket, (written ?? 0) + 1);
    this.#afterTurn ??= this.#flushAfterTurn();
    return written !== undefined && written + 1 >= perTurn ? this.#afterTurn : undefined;
  }

  #flushAfterTurn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        const corked = this.#corked;
        this.#corked = new Map();
        this.#afterTurn = undefined;
        for (const socket of corked.keys()) socket.uncork();
        resolve();
      });
    });
  }
}
