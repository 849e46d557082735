/** Keeps the last bytes of a stream. */
export class TailBuffer {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #held = 0;
  #droppedBytes = 0;

  /** @param limit bytes kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes kept. */
  get size(): number {
    return Math.min(this.#held, this.#limit);
  }

  /** Bytes that were dropped before those kept. */
  get dropped(): number {
    return this.#droppedBytes + this.#held - this.size;
  }

  push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    // Copied together only now and then, so that a push costs no more than its own bytes on average.
    if (this.#held > 2 * this.#limit + 65_536) this.#compact();
  }

  /** The kept bytes; if bytes were dropped, from the first complete UTF-8 character on. */
  bytes(): Buffer {
    this.#compact();
    const [kept = Buffer.alloc(0)] = this.#parts;
    if (this.dropped === 0) return kept;
    let start = 0;
    while (start < Math.min(4, kept.length) && ((kept[start] ?? 0) & 0xc0) === 0x80) start += 1;
    return kept.subarray(start);
  }

  #compact(): void {
    const all = Buffer.concat(this.#parts);
    const kept = Buffer.from(all.subarray(all.length - this.size));
    this.#droppedBytes += all.length - kept.length;
    this.#parts = [kept];
    this.#held = kept.length;
  }
}
