/** Ordered shutdown: what was started last stops first. */
import type { Logger } from '@rhizome/log';

/** Steps of a shutdown, run in the reverse order of registration. */
export class Shutdown {
  readonly #shutdown: { readonly what: string; end(): Promise<unknown> | unknown }[] = [];

  add(what: string, end: () => Promise<unknown> | unknown): void {
    this.#shutdown.unshift({ what, end });
  }

  /** Runs all steps once, also if one fails. */
  async run(log: Logger): Promise<void> {
    for (let ending = this.#shutdown.shift(); ending; ending = this.#shutdown.shift()) {
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
