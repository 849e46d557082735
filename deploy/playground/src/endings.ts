/** Things to end, the newest first. */
import type { Logger } from '@rhizome/log';

/** What was started, to be ended in the opposite order. */
export class Endings {
  readonly #endings: { readonly what: string; end(): Promise<unknown> | unknown }[] = [];

  add(what: string, end: () => Promise<unknown> | unknown): void {
    this.#endings.unshift({ what, end });
  }

  /** Ends all, also when one fails; each once. */
  async run(log: Logger): Promise<void> {
    for (let ending = this.#endings.shift(); ending; ending = this.#endings.shift()) {
      const started = performance.now();
      try {
        await ending.end();
        log.info({ ms: Math.round(performance.now() - started) }, `ended: ${ending.what}`);
      } catch (error) {
        log.error({ err: error }, `ending ${ending.what} failed`);
      }
    }
  }
}
