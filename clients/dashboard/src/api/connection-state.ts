/** Connection of the page to the gateway; `still` if it has no open streams. */
export type Connection = 'connecting' | 'live' | 'away' | 'still';

/** State of the connection, for display. */
export class ConnectionState {
  #current: Connection = 'connecting';
  readonly #listeners = new Set<() => void>();

  /** As `useSyncExternalStore` wants it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly get = (): Connection => this.#current;

  set(connection: Connection): void {
    if (connection === this.#current) return;
    this.#current = connection;
    this.#listeners.forEach((listener) => listener());
  }
}
