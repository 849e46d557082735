/** Runs actions with the same key one after another, in the order of the calls; others run at any time. */
export class TurnsByKey {
  /** The last action of each key. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs an action once the earlier ones of its key have ended, whether they failed or not. */
  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(action, action);
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
