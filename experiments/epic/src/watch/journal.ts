/**
 * Numbers of the frames that were announced, one a line. A frame whose line was lost in a crash is announced
 * again, which changes nothing.
 */
import { appendFile, readFile } from 'node:fs/promises';

export class Journal {
  readonly #path: string;
  readonly #numbers: Set<number>;
  /** True if the last line was cut off in a crash. */
  #isCut: boolean;

  private constructor(path: string, numbers: Set<number>, isCut: boolean) {
    this.#path = path;
    this.#numbers = numbers;
    this.#isCut = isCut;
  }

  /** Reads the file; a file that does not exist is empty. */
  static async open(path: string): Promise<Journal> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const lines = text.split('\n');
    const cut = lines.pop();
    return new Journal(path, new Set(lines.filter((line) => /^\d+$/.test(line)).map(Number)), cut !== '');
  }

  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  async add(numbers: readonly number[]): Promise<void> {
    await appendFile(this.#path, `${this.#isCut ? '\n' : ''}${numbers.join('\n')}\n`);
    this.#isCut = false;
    for (const number of numbers) this.#numbers.add(number);
  }
}
