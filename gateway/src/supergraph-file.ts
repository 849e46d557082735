import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from '@rhizome/log';
import type { Gateway } from './app.js';
import { readSupergraphFile } from './config.js';

/** Interval at which the file is checked, in milliseconds. */
const lookMs = 1000;

/** Reloads a supergraph file when it changes, or on request. An invalid file changes nothing. */
export class SupergraphFile {
  readonly #path: string;
  readonly #log: Logger;
  #gateway: Gateway | undefined;
  #served: string;
  #reloading: Promise<void> | undefined;
  #isDue = false;
  readonly #onChange = (): void => void this.reload();

  /** `served`: the text with which the gateway was started. */
  constructor(path: string, served: string, log: Logger) {
    this.#path = path;
    this.#served = served;
    this.#log = log;
  }

  /** Watches the file for a gateway, by polling: a mounted folder may send no events. */
  watch(gateway: Gateway): void {
    this.#gateway = gateway;
    watchFile(this.#path, { interval: lookMs, persistent: false }, this.#onChange);
    void this.reload();
  }

  /** Reads the file and serves it if it has changed; never rejects. */
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
