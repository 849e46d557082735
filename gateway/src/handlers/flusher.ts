import type { Duplex } from 'node:stream';

/** Messages that one socket may take in one turn of the event loop before its sender waits for the next. */
const perTurn = 32;

/**
 * Holds back what sockets are written until the turn of the event loop ends, so that a socket's messages of one turn
 * leave in one system call; and makes those wait who would write without end, so that others get their turn.
 */
export class Flusher {
  #corked = new Map<Duplex, number>();
  #afterTurn: Promise<void> | undefined;

  /** To be called before a write. A promise says that the next one should wait for it. */
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
