import type { WebSocket } from 'ws';

/** A socket whose `connection_init` was not accepted yet. */
export interface WaitingSocket {
  /** Called if it waits longest of the address that has most while there are too many. */
  evict(): void;
}

/** Bounds of {@link WaitingSockets}. */
export interface WaitingSocketLimits {
  readonly waitingSockets: number;
  readonly waitingSocketsPerAddress: number;
}

/** Close code of a socket that waited for its `connection_init` while too many did. */
const tooManyWaiting = 4429;
/** Time that an evicted client has to answer the close, in milliseconds. */
const evictionGraceMs = 1000;

/**
 * Sockets that have not been accepted, by address. Clients are accepted within milliseconds, so those that
 * wait longest are not waiting for anything: a new socket takes their position.
 */
export class WaitingSockets {
  readonly #limits: WaitingSocketLimits;
  readonly #byAddress = new Map<string, Set<WaitingSocket>>();
  #size = 0;

  constructor(limits: WaitingSocketLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a socket; returns the function that removes it. */
  add(address: string, socket: WaitingSocket): () => void {
    const own = this.#byAddress.get(address);
    if (own && own.size >= this.#limits.waitingSocketsPerAddress) this.#evictOldest(own);
    else if (this.#size >= this.#limits.waitingSockets) this.#evictOldest(this.#largest());
    let sockets = this.#byAddress.get(address);
    if (!sockets) this.#byAddress.set(address, (sockets = new Set()));
    sockets.add(socket);
    this.#size++;
    return () => this.#remove(address, socket);
  }

  /** Adds a WebSocket, which is closed if it is evicted; returns the function that removes it. */
  addClient(address: string, client: WebSocket): () => void {
    const remove = this.add(address, {
      evict: () => {
        remove();
        client.close(tooManyWaiting, 'TOO_MANY_WAITING_SOCKETS');
        cutAfterGrace(client);
      },
    });
    return remove;
  }

  #evictOldest(sockets: ReadonlySet<WaitingSocket> | undefined): void {
    const [oldest] = sockets ?? [];
    // It removes itself.
    oldest?.evict();
  }

  #largest(): ReadonlySet<WaitingSocket> | undefined {
    let largest: ReadonlySet<WaitingSocket> | undefined;
    for (const sockets of this.#byAddress.values())
      if (!largest || sockets.size > largest.size) largest = sockets;
    return largest;
  }

  #remove(address: string, socket: WaitingSocket): void {
    const sockets = this.#byAddress.get(address);
    if (!sockets?.delete(socket)) return;
    this.#size--;
    if (sockets.size === 0) this.#byAddress.delete(address);
  }
}

function cutAfterGrace(client: WebSocket): void {
  const cut = setTimeout(() => client.terminate(), evictionGraceMs);
  cut.unref();
  client.once('close', () => clearTimeout(cut));
}
