/** The log of a payload on disk: its supervisor writes it, and a pilot reads it, now or later. */
import { open, type FileHandle } from 'node:fs/promises';
import type { LogChunk } from '../payload/output-capture.js';

/** A piece of the log, without the number that core gives it. */
export type OutputChunk = Omit<LogChunk, 'sequence'>;

/** Writes chunks, each as a line. A chunk that the disk refuses is left out, with a mark. */
export class OutputLogWriter {
  readonly #file: FileHandle;
  #bytes = 0;
  #leftOutBytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<OutputLogWriter> {
    return new OutputLogWriter(await open(path, 'w', 0o600));
  }

  /** Size of what can be read. */
  get bytes(): number {
    return this.#bytes;
  }

  async append(chunks: readonly OutputChunk[]): Promise<void> {
    const written = await this.#write([...this.#marks(), ...chunks]);
    this.#leftOutBytes = written
      ? 0
      : chunks.reduce((sum, { text }) => sum + Buffer.byteLength(text), this.#leftOutBytes);
  }

  /** Writes the mark for what was left out at the end, if the disk takes it. */
  async close(): Promise<void> {
    if (this.#leftOutBytes > 0) await this.#write(this.#marks());
    await this.#file.close();
  }

  #marks(): readonly OutputChunk[] {
    if (this.#leftOutBytes === 0) return [];
    const text = `\n[rhizome: ${this.#leftOutBytes} bytes left out here; the disk of the host was full]\n`;
    return [{ stream: 'STDERR', text, at: new Date() }];
  }

  async #write(chunks: readonly OutputChunk[]): Promise<boolean> {
    const lines = chunks.map(({ stream, text, at }) => `${JSON.stringify({ stream, text, at })}\n`);
    const bytes = Buffer.from(lines.join(''));
    try {
      for (let done = 0; done < bytes.length;)
        done += (await this.#file.write(bytes, done, bytes.length - done, this.#bytes + done)).bytesWritten;
      this.#bytes += bytes.length;
      return true;
    } catch {
      return false;
    }
  }
}

/** Longest part that is read at once; longer than any chunk. */
const readBytes = 1 << 20;

/** Reads the log of a payload while it grows. */
export class OutputLogReader {
  readonly #path: string;
  #offset = 0;
  #bytes = 0;
  #isComplete = false;
  #isDiscarded = false;
  #held: string[] = [];
  #wake: (() => void) | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Leaves out what an earlier pilot has read. */
  startAt(offset: number): void {
    this.#offset = offset;
  }

  /** Offset after the chunks that were returned. */
  get offset(): number {
    return this.#offset;
  }

  /** The log has at least this size. */
  grow(bytes: number): void {
    this.#bytes = Math.max(this.#bytes, bytes);
    this.#notify();
  }

  /** The log has this size, and grows no more. */
  complete(bytes = this.#bytes): void {
    this.#isComplete = true;
    this.grow(bytes);
  }

  /** Returns nothing more. */
  discard(): void {
    this.#isDiscarded = true;
    this.#notify();
  }

  /**
   * The next chunks, at most `count` of them; waits for the first. Empty at the end.
   * @throws the error of the disk
   */
  async nextChunks(count: number): Promise<readonly OutputChunk[]> {
    while (!this.#isDiscarded && this.#bytes <= this.#offset && !this.#isComplete)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#isDiscarded || this.#bytes <= this.#offset) return [];
    const lines = await this.#nextLines(count);
    this.#offset += lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    return lines.map((line) => {
      const { stream, text, at } = JSON.parse(line) as OutputChunk;
      return { stream, text, at: new Date(at) };
    });
  }

  /** Lines that were read, and not returned, are kept for the next call. */
  async #nextLines(count: number): Promise<readonly string[]> {
    if (this.#held.length === 0) this.#held = (await this.#read()).split('\n').slice(0, -1);
    return this.#held.splice(0, count);
  }

  async #read(): Promise<string> {
    const file = await open(this.#path, 'r');
    try {
      const length = Math.min(readBytes, this.#bytes - this.#offset);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, this.#offset);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
      if (end === 0) throw new Error(`${this.#path} is damaged at byte ${this.#offset}`);
      return buffer.toString('utf8', 0, end);
    } finally {
      await file.close();
    }
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
