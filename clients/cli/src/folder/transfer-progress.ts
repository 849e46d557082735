/** Progress of transfers, on the error stream: one changing line in a terminal, few lines elsewhere. */
import { bar, bytes, type Output, startOf } from '../output.js';

/** Time between two lines in a terminal, and elsewhere, in milliseconds. */
const terminalMs = 100;
const elsewhereMs = 10_000;

/** Shows the progress of one transfer. */
export class TransferProgress {
  readonly #output: Output;
  readonly #what: string;
  readonly #now: () => number;
  readonly #startedMs: number;
  #shownMs: number;
  #isOpen = false;

  /** @param what beginning of the line, such as `uploading` */
  constructor(output: Output, what: string, now: () => number) {
    this.#output = output;
    this.#what = what;
    this.#now = now;
    this.#startedMs = now();
    this.#shownMs = now();
  }

  /** Shows the progress, if the last line is old enough. */
  show(doneBytes: number, ofBytes: number): void {
    const nowMs = this.#now();
    const { errors } = this.#output;
    const isTerminal = errors.isTTY === true;
    if (nowMs - this.#shownMs < (isTerminal ? terminalMs : elsewhereMs)) return;
    this.#shownMs = nowMs;
    const part = ofBytes === 0 ? 1 : doneBytes / ofBytes;
    const rate = doneBytes / Math.max(0.1, (nowMs - this.#startedMs) / 1000);
    const amounts = `${bytes(doneBytes)} of ${bytes(ofBytes)}, ${bytes(Math.round(rate))}/s`;
    if (!isTerminal) {
      errors.write(`${this.#what}: ${amounts}\n`);
      return;
    }
    const line = `${this.#what} ${bar(part, 24)} ${Math.round(part * 100)} %  ${amounts}`;
    errors.write(`\r\x1b[2K${startOf(line, 99)}`);
    this.#isOpen = true;
  }

  /** Removes the line of a terminal. */
  end(): void {
    if (this.#isOpen) this.#output.errors.write('\r\x1b[2K');
    this.#isOpen = false;
  }
}
