import { show } from '@rhizome/errors';

/** Collects what is wrong with an input; every entry names the field, the value and what would be right. */
export class Findings {
  readonly refusals: Refusal[] = [];

  get isEmpty(): boolean {
    return this.refusals.length === 0;
  }

  /** Notes a fault. @param path the place in the input, from the outside in */
  add(
    path: readonly (string | number)[],
    value: unknown,
    expected: string,
    code: RefusalCode = 'INVALID_VALUE',
  ): void {
    const texts = path.map(String);
    this.refusals.push({
      code,
      path: texts,
      message: `${texts.join('.')}: ${show(value)} is not valid; expected ${expected}`,
    });
  }

  /** A whole number in a range. */
  int(path: readonly (string | number)[], value: number, min: number, max: number): void {
    if (!Number.isInteger(value) || value < min || value > max)
      this.add(path, value, `a whole number from ${min} to ${max}`);
  }

  /** A text with a number of characters in a range. */
  text(path: readonly (string | number)[], value: string, min: number, max: number): void {
    if (typeof value !== 'string' || value.length < min || value.length > max) {
      this.add(path, value, min === 0 ? `at most ${max} characters` : `${min} to ${max} characters`);
    } else if (value.includes('\0')) this.add(path, value, 'a text without NUL characters');
  }

  /** A text as {@link text}, without what could steer a terminal or hide in a log line. */
  line(path: readonly (string | number)[], value: string, min: number, max: number): void {
    if (/\p{Cc}/u.test(value)) this.add(path, value, 'a text without control characters');
    else this.text(path, value, min, max);
  }

  /** A text of a form. */
  form(path: readonly (string | number)[], value: string, pattern: RegExp, expected: string): void {
    if (!pattern.test(value)) this.add(path, value, expected);
  }

  /** A list with at most so many entries. */
  list(path: readonly (string | number)[], value: readonly unknown[], max: number): void {
    if (value.length > max) this.add(path, `${value.length} entries`, `at most ${max} entries`);
  }

  /** Entries that must differ. */
  distinct(path: readonly (string | number)[], values: readonly string[]): void {
    const seen = new Set<string>();
    values.forEach((value, position) => {
      if (seen.has(value)) this.add([...path, position], value, 'each value once');
      seen.add(value);
    });
  }
}

/** Why a job, or a whole call, is refused. */
export type RefusalCode =
  | 'INVALID_VALUE'
  | 'EXPERIMENT_NOT_FOUND'
  | 'SHARE_NOT_FOUND'
  | 'DEPENDENCY_INVALID'
  | 'SELECTOR_INVALID'
  | 'QUEUE_NOT_FOUND'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'BATCH_TOO_LARGE';

/** One refusal: what is wrong, where, and what would be right. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  /** The place in the input, from the outside in. */
  readonly path: readonly string[];
}
