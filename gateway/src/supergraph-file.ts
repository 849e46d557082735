import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from '@rhizome/log';
import type { Gateway } from './app.js';
import { readSupergraphFile } from './config.js';

/** How often the file is looked at, in milliseconds. */
const lookMs = 1000;

/** Serves a supergraph file again when it changes, or on request. A file that cannot be served changes nothing. */
export class SupergraphFile {
  readonly #path: string;
  readonly #log: Logger;
  #gateway: Gateway | undefined;
  #served: string;
  #reloading: Promise<void> | undefined;
  #isDue = false;
  readonly #onChange = (): void => void this.reload();

  /** `served`: the text that the gateway was started with. */
  constructor(path: string, served: string, log: Logger) {
    this.#path = path;
    this.#served = served;
    this.#log = log;
  }

  /** Watches the file for a gateway. It is polled: a folder that is mounted may bring no events. */
  watch(gateway: Gateway): void {
    this.#gateway = gateway;
    watchFile(this.#path, { interval: lookMs, persistent: false }, this.#onChange);
    void this.reload();
  }

  /** Reads the file and serves it if it changed; never rejects. */
  reload(): Promise<void> {
    this.#isDue = true;
    this.#reloading ??= this.#reload().finally(() => (this.#reloading = undefined));
    return this.#reloading;
  }

  close(): void {
    unwatchFile(this.#path, this.#onChange);
  }

  async #reload(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false;
      try {
        const text = readSupergraphFile(this.#path);
        if (text === this.#served) {
          this.#log.debug({ path: this.#path }, 'supergraph unchanged');
          continue;
        }
        await this.#gateway?.swap(text);
        this.#served = text;
        this.#log.info({ path: this.#path }, 'supergraph reloaded');
      } catch (error) {
        this.#log.error({ path: this.#path, err: error }, 'supergraph not reloaded');
      }
    }
  }
}
