/** Whether the page hears from the gateway; `still` where it follows nothing that could move. */
export type Connection = 'connecting' | 'live' | 'away' | 'still';

/** The state of the connection, for whoever shows it. */
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
