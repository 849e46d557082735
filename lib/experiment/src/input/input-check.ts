/** Collects what is wrong with an input, for `userErrors`: every entry names the field, the value and what would be right. */
import { show } from '@rhizome/errors';

/** One entry of `userErrors`. */
export interface InputFault<C extends string = string> {
  readonly message: string;
  /** The path in the input, from the outside in. */
  readonly path: readonly string[];
  /** A value of the mutation's `…UserErrorCode`. */
  readonly code: C;
}

type Path = readonly (string | number)[];

const placeholder = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g;
/** Faults told at most. */
const maxFaults = 100;

/** Faults of one input. `C` lists the codes of the mutation besides `INVALID_VALUE`. */
export class InputCheck<C extends string = never> {
  readonly #faults: InputFault<C | 'INVALID_VALUE'>[] = [];

  /** What was found, at most 100. */
  get faults(): readonly InputFault<C | 'INVALID_VALUE'>[] {
    return this.#faults.slice(0, maxFaults);
  }

  /** True while nothing is wrong. */
  get none(): boolean {
    return this.#faults.length === 0;
  }

  /** Notes a fault. @param expected what would be right, in words */
  add(path: Path, value: unknown, expected: string, code: C | 'INVALID_VALUE' = 'INVALID_VALUE'): void {
    const message = `${path.join('.')}: ${show(value)} is not valid; expected ${expected}`;
    this.#faults.push({ path: path.map(String), message, code });
  }

  /** A whole number in a range; null and undefined pass: their default is core's. */
  int(path: Path, value: number | null | undefined, min: number, max: number): void {
    if (value == null) return;
    if (!Number.isInteger(value) || value < min || value > max)
      this.add(path, value, `a whole number from ${min} to ${max}`);
  }

  /** A text with so many characters, none of which steers a terminal. */
  text(path: Path, value: string, min: number, max: number): void {
    const length = [...value].length;
    if (length < min || length > max || /\p{Cc}/u.test(value)) {
      this.add(path, value, `${min === 0 ? 'up to' : `${min} to`} ${max} printable characters`);
    }
  }

  /** A text of a form. */
  form(path: Path, value: string, pattern: RegExp, expected: string): void {
    if (!pattern.test(value)) this.add(path, value, expected);
  }

  /** A list with so many entries. */
  list(path: Path, value: readonly unknown[], min: number, max: number): void {
    if (value.length < min || value.length > max)
      this.add(path, `${value.length} entries`, `${min} to ${max} entries`);
  }

  /** Entries that must differ. */
  distinct(path: Path, values: readonly string[]): void {
    const seen = new Set<string>();
    values.forEach((value, index) => {
      if (seen.has(value)) this.add([...path, index], value, 'each value once');
      seen.add(value);
    });
  }

  /** A text in which core finds no parameter but these: it would be filled in, or refused. */
  parameters(path: Path, text: string, known: readonly string[] = []): void {
    for (const [found, name] of text.matchAll(placeholder)) {
      if (name !== undefined && known.includes(name)) continue;
      this.add(
        path,
        found,
        known.length > 0
          ? `no parameter but ${known.map((one) => `{{${one}}}`).join(', ')}`
          : 'a text without {{…}}',
      );
    }
  }

  /** The program of a job and its arguments. */
  program(path: Path, command: string, known: readonly string[] = []): void {
    this.form(path, command, /^[^\0]{1,4096}$/, 'a path or a name of 1 to 4096 characters');
    this.parameters(path, command, known);
  }

  /** Arguments of a program. */
  programArguments(path: Path, values: readonly string[], known: readonly string[] = []): void {
    this.list(path, values, 0, 900);
    const bytes = values.reduce((sum, value) => sum + Buffer.byteLength(value) + 1, 0);
    if (bytes > 100_000) this.add(path, `${bytes} bytes`, 'at most 100000 bytes together');
    values.forEach((value, index) => {
      if (value.includes('\0')) this.add([...path, index], value, 'a text without NUL characters');
      this.parameters([...path, index], value, known);
    });
  }

  /** Files that a job leaves. */
  outputs(path: Path, names: readonly string[], known: readonly string[] = []): void {
    this.list(path, names, 0, 100);
    this.distinct(path, names);
    names.forEach((name, index) => this.fileName([...path, index], name, known));
  }

  /** The name of one file. */
  fileName(path: Path, name: string, known: readonly string[] = []): void {
    const isWell = /^[^/\\\0]{1,255}$/.test(name) && name !== '.' && name !== '..';
    if (!isWell) this.add(path, name, 'a file name of 1 to 255 characters without `/` and `\\`');
    this.parameters(path, name, known);
  }

  /** The fields that inputs of all experiments share, where they are there. */
  usual(input: UsualInput): void {
    this.text(['idempotencyKey'], input.idempotencyKey, 1, 200);
    this.int(['cores'], input.cores, 1, 4096);
    this.int(['memoryMiB'], input.memoryMiB, 1, 16_777_216);
    this.int(['walltimeSeconds'], input.walltimeSeconds, 1, 2_592_000);
    this.int(['maxAttempts'], input.maxAttempts, 1, 20);
  }
}

/** Fields that {@link InputCheck.usual} looks at. */
export interface UsualInput {
  readonly idempotencyKey: string;
  readonly cores?: number | null | undefined;
  readonly memoryMiB?: number | null | undefined;
  readonly walltimeSeconds?: number | null | undefined;
  readonly maxAttempts?: number | null | undefined;
}

/** A selector that takes only workers with this label. */
export function workerLabel(key: string, value: string): string {
  return `worker.labels[${JSON.stringify(key)}] == ${JSON.stringify(value)}`;
}
