const base = 65_521;
/** Most bytes after which the sums still fit into 32 bits. */
const longestRun = 5552;

/** Adler-32 of bytes that arrive in pieces, as grid storages use it (RFC 1950). */
export class Adler32 {
  #low = 1;
  #high = 0;

  update(piece: Uint8Array): this {
    for (let from = 0; from < piece.length; from += longestRun) {
      const end = Math.min(piece.length, from + longestRun);
      for (let at = from; at < end; at += 1) {
        this.#low += piece[at] ?? 0;
        this.#high += this.#low;
      }
      this.#low %= base;
      this.#high %= base;
    }
    return this;
  }

  /** Eight hexadecimal digits. */
  digest(): string {
    return (this.#high * 65_536 + this.#low).toString(16).padStart(8, '0');
  }
}
