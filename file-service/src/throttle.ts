import { Transform, type TransformCallback } from 'node:stream';
import type { Clock } from '@rhizome/clock';

/** Limits the bytes a second of all transfers together. */
export class Throttle {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  /** Time at which the bytes that passed are paid for, in milliseconds. */
  #paidAt = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** A stream that delays what passes. */
  stream(): Transform {
    const delayOf = (bytes: number): number => this.#delayOf(bytes);
    let timer: NodeJS.Timeout | undefined;
    return new Transform({
      transform(piece: Buffer, _encoding: BufferEncoding, callback: TransformCallback) {
        const delayMs = delayOf(piece.length);
        if (delayMs < 1) return callback(null, piece);
        timer = setTimeout(callback, delayMs, null, piece);
      },
      destroy(error, callback) {
        clearTimeout(timer);
        callback(error);
      },
    });
  }

  #delayOf(bytes: number): number {
    const now = this.#clock.monotonicMs();
    const from = Math.max(this.#paidAt, now);
    this.#paidAt = from + bytes / this.#bytesPerMs;
    return from - now;
  }
}
