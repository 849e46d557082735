/**
 * Numbers of the frames that were announced, one a line, behind a line that names the run and the folder. A
 * frame whose line was lost in a crash is announced again, which changes nothing.
 */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { DomainError } from '@rhizome/errors';

/** Run and folder of a journal. */
export interface JournalOwner {
  readonly runNumber: number;
  readonly folder: string;
}

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

  /**
   * Reads the file; one that does not exist is created.
   * @throws DomainError CONFIG_INVALID if it is the journal of another run or folder: the numbers of each run
   *   begin again, and its frames would be left out
   */
  static async open(path: string, { runNumber, folder }: JournalOwner): Promise<Journal> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const head = `run ${runNumber} ${JSON.stringify(folder)}`;
    const lines = text.split('\n');
    const cut = lines.pop() ?? '';
    // A crash may have cut off the first line.
    if (lines.length === 0 && head.startsWith(cut)) {
      await writeFile(path, `${head}\n`);
      return new Journal(path, new Set(), false);
    }
    const found = lines.shift() ?? cut;
    if (found !== head) throw ofAnother(path, found, head);
    return new Journal(path, new Set(lines.filter((line) => /^\d+$/.test(line)).map(Number)), cut !== '');
  }

  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  async add(numbers: readonly number[]): Promise<void> {
    if (numbers.length === 0) return;
    await appendFile(this.#path, `${this.#isCut ? '\n' : ''}${numbers.join('\n')}\n`);
    this.#isCut = false;
    for (const number of numbers) this.#numbers.add(number);
  }
}

function ofAnother(path: string, found: string, expected: string): DomainError {
  const message = `journalFile: ${path} begins with ${JSON.stringify(found.slice(0, 200))}; must be a file that does not exist, or begin with ${JSON.stringify(expected)}`;
  return new DomainError('CONFIG_INVALID', message, { field: 'journalFile', value: path, expected });
}
