import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type Masked, OutputMask } from '../secrets/output-mask.js';
import { TailBuffer } from './tail-buffer.js';

/** The streams of a payload. */
export type LogStream = 'STDOUT' | 'STDERR';

/** A piece of captured output. */
export interface LogChunk {
  /** Counts the chunks of the attempt, of both streams together, from 0. */
  readonly sequence: number;
  readonly stream: LogStream;
  /** At most 64 KiB of UTF-8; invalid bytes are U+FFFD. */
  readonly text: string;
  /** Time of capture of its newest byte. */
  readonly at: Date;
}

/** Bounds of a capture: in bytes, and in time. */
export interface CaptureLimits {
  /** Kept of each stream from its beginning. */
  readonly head: number;
  /** Kept of each stream from its end, where it is longer than the head. */
  readonly tail: number;
  /** Held here before the payload has to wait. */
  readonly buffer: number;
  /** Longest time for which output is collected before it becomes a chunk, in ms; 200 by default. */
  readonly intervalMs?: number;
}

/** 20 KiB of bytes are at most 60 KiB of text, if each becomes U+FFFD. */
const chunkBytes = 20 * 1024;
const usualIntervalMs = 200;

interface Source {
  readonly name: LogStream;
  readonly readable: Readable;
  readonly tail: TailBuffer;
  decoder: StringDecoder;
  pending: Buffer[];
  pendingBytes: number;
  headLeft: number;
  isOpen: boolean;
  readonly mask: OutputMask | undefined;
}

/**
 * Cuts a payload's output into chunks within bounds: memory here, by making the payload wait; length of the
 * log, by keeping the head and the tail of each stream, with a mark for the part that is left out.
 */
export class OutputCapture {
  readonly #limits: CaptureLimits;
  readonly #now: () => Date;
  readonly #masked: (() => Masked) | undefined;
  readonly #sources: Source[];
  #ready: LogChunk[] = [];
  #sequence = 0;
  #bufferedBytes = 0;
  #flushTimer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #isDiscarding = false;

  /** @param masked texts that are replaced */
  constructor(
    streams: Readonly<Record<LogStream, Readable>>,
    limits: CaptureLimits,
    now: () => Date,
    masked?: () => Masked,
  ) {
    this.#masked = masked;
    this.#limits = limits;
    this.#now = now;
    this.#sources = (['STDOUT', 'STDERR'] as const).map((name) => this.#open(name, streams[name]));
  }

  /** True if both streams have ended and all chunks were taken. */
  get isDone(): boolean {
    return this.#ready.length === 0 && this.#sources.every(({ isOpen }) => !isOpen);
  }

  /**
   * The next chunks, at most `count` of them; waits for the first. Empty at the end. Each chunk is returned
   * once: the caller keeps it until it is delivered.
   */
  async nextChunks(count: number): Promise<readonly LogChunk[]> {
    while (this.#ready.length === 0 && !this.isDone)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    const chunks = this.#ready.splice(0, count);
    this.#bufferedBytes -= chunks.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    this.#balance();
    return chunks;
  }

  /** Discards held and future output, so that the payload does not wait for a reader that is gone. */
  discard(): void {
    this.#isDiscarding = true;
    this.#ready = [];
    this.#bufferedBytes = 0;
    this.#balance();
    this.#notify();
  }

  #open(name: LogStream, readable: Readable): Source {
    const source: Source = {
      name,
      readable,
      tail: new TailBuffer(this.#limits.tail),
      decoder: new StringDecoder('utf8'),
      pending: [],
      pendingBytes: 0,
      headLeft: this.#limits.head,
      isOpen: true,
      mask: this.#masked && new OutputMask(this.#masked),
    };
    readable.on('data', (bytes: Buffer) => this.#onData(source, source.mask?.push(bytes) ?? bytes));
    readable.on('error', () => undefined);
    readable.once('close', () => this.#onClose(source));
    return source;
  }

  #onData(source: Source, bytes: Buffer): void {
    if (this.#isDiscarding) return;
    const head = bytes.subarray(0, source.headLeft);
    source.headLeft -= head.length;
    if (head.length > 0) this.#keep(source, head);
    if (head.length < bytes.length) source.tail.push(bytes.subarray(head.length));
    this.#flushTimer ??= setTimeout(() => this.#flush(), this.#limits.intervalMs ?? usualIntervalMs);
    this.#balance();
  }

  #keep(source: Source, bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0;) {
      const part = rest.subarray(0, chunkBytes - source.pendingBytes);
      source.pending.push(part);
      source.pendingBytes += part.length;
      this.#bufferedBytes += part.length;
      rest = rest.subarray(part.length);
      if (source.pendingBytes === chunkBytes) this.#cut(source);
    }
  }

  #flush(): void {
    this.#flushTimer = undefined;
    this.#sources.forEach((source) => this.#cut(source));
  }

  /** Makes a chunk of the pending bytes; bytes of an incomplete character stay in the decoder. */
  #cut(source: Source): void {
    if (source.pendingBytes === 0) return;
    const text = source.decoder.write(Buffer.concat(source.pending));
    this.#bufferedBytes -= source.pendingBytes;
    source.pending = [];
    source.pendingBytes = 0;
    this.#emit(source, text);
  }

  #emit(source: Source, text: string): void {
    if (text === '' || this.#isDiscarding) return;
    this.#ready.push({ sequence: this.#sequence, stream: source.name, text, at: this.#now() });
    this.#sequence += 1;
    this.#bufferedBytes += Buffer.byteLength(text);
    this.#notify();
  }

  #onClose(source: Source): void {
    const last = source.mask?.end();
    if (last?.length) this.#onData(source, last);
    this.#cut(source);
    if (source.tail.dropped > 0) {
      this.#emit(source, source.decoder.end());
      source.decoder = new StringDecoder('utf8');
      this.#emit(source, this.#cutMark(source));
    }
    this.#keep(source, source.tail.bytes());
    this.#cut(source);
    this.#emit(source, source.decoder.end());
    source.isOpen = false;
    if (this.#sources.every(({ isOpen }) => !isOpen)) clearTimeout(this.#flushTimer);
    this.#notify();
  }

  #cutMark({ name, tail }: Source): string {
    const { head } = this.#limits;
    return `\n[rhizome: ${tail.dropped} bytes of ${name} left out here; the log keeps the first ${head} bytes and the last ${tail.size}]\n`;
  }

  /**
   * Continues to read while there is free capacity: unread output fills the pipe, and then the payload waits.
   */
  #balance(): void {
    const isFull = this.#bufferedBytes >= this.#limits.buffer;
    for (const { readable, isOpen } of this.#sources) {
      if (isOpen && isFull && !readable.isPaused()) readable.pause();
      if (isOpen && !isFull && readable.isPaused()) readable.resume();
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
