import { CliError, exitCodes } from '../exit-codes.js';
import { fileLines } from './file-lines.js';

/** Most characters of a batch; the gateway accepts more in one call. */
const maxCharacters = 4 * 1_048_576;

/** Objects in the lines of a file. */
export interface JsonLines {
  readonly file: string;
  /** Most objects of a batch. */
  readonly most: number;
  /** Field that every object has. */
  readonly key: string;
  /** Completes "must be …". */
  readonly expected: string;
}

/**
 * Objects of a file with one in each line, in batches. Empty lines are left out. The fields of an object are
 * checked by the gateway, apart from the key.
 * @throws CliError for a line without such an object
 */
export async function* jsonLineBatches<T extends object>(lines: JsonLines): AsyncGenerator<T[]> {
  const { file, most } = lines;
  let batch: T[] = [];
  let characters = 0;
  let number = 0;
  for await (const line of fileLines(file)) {
    number += 1;
    if (line.trim() === '') continue;
    if (batch.length >= most || (batch.length > 0 && characters + line.length > maxCharacters)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(objectIn<T>(line, number, lines));
    characters += line.length;
  }
  if (batch.length > 0) yield batch;
}

function objectIn<T extends object>(line: string, number: number, { file, key, expected }: JsonLines): T {
  try {
    const found: unknown = JSON.parse(line);
    if (typeof found === 'object' && found !== null && key in found) return found as T;
  } catch {
    // Answered below.
  }
  throw new CliError(exitCodes.usage, `${file}: line ${number} is not valid; must be ${expected}`);
}
