/** Goes through submissions again and again. */

const pageSize = 100;

/** Rounds in the order of ids. One ends at the first failure, and the next one goes on behind it. */
export class Rounds<T extends { readonly _id: string }> {
  readonly #page: (behind: string, limit: number) => Promise<readonly T[]>;
  #behind = '';

  /** @param page the first ones behind an id, by id */
  constructor(page: (behind: string, limit: number) => Promise<readonly T[]>) {
    this.#page = page;
  }

  /** Does one round, or what the one before has left of it. @throws what `work` throws, which ends it */
  async next(work: (submission: T) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const page = await this.#page(this.#behind, pageSize);
      for (const submission of page) {
        if (signal.aborted) return;
        // Before the work: a submission whose work fails must not hold up those behind it.
        this.#behind = submission._id;
        await work(submission);
      }
      if (page.length < pageSize) break;
    }
    this.#behind = '';
  }
}
