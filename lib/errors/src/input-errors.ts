import { formatValue } from './format-value.js';

/** An error in the input of a mutation, with a code of the mutation's own. */
export interface CodedInputError<C extends string> {
  /** For people: names the field, the value and what would be right. */
  readonly message: string;
  /** Path in the input, from the outside in; list positions as text. */
  readonly path: readonly string[];
  /** For programs: a value of the mutation's `…ErrorCode`. */
  readonly code: C;
}

/**
 * One error of an input, as an entry of `userErrors`. `C` lists the codes of the mutation besides
 * `INVALID_VALUE`.
 */
export type InputError<C extends string = never> = CodedInputError<C | 'INVALID_VALUE'>;

/** Numbers up to `max`, from `min` on, or all above `above`. */
export type NumberRange = ({ readonly min: number } | { readonly above: number }) & { readonly max: number };

/** Names and list positions from the outside in. */
export type InputPath = readonly (string | number)[];

const labelKey = /^[A-Za-z0-9._/-]{1,63}$/;
const labelKeyForm = '1 to 63 letters, digits, `.`, `_`, `-`, `/`';
const maxLabelValue = 255;
const fileName = /^[^/\\\0]{1,255}$/;
/** Marks, embeddings, overrides and isolates: they reorder the text around them. */
const bidi = '\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069';
/** C0, DEL, C1 and bidi controls: characters that steer a terminal, or make a text look like another one. */
const controls = new RegExp(`[\\p{Cc}${bidi}]`, 'u');
const controlsInLines = new RegExp(`[^\\P{Cc}\\n\\t]|[${bidi}]`, 'u');
/** Additionally characters without a width, separators of lines and halves of characters. */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * Collects all errors of one input, with the same rules for every input of the system. `C` lists the codes of
 * the mutation besides `INVALID_VALUE`. Optional numbers pass where they are null or absent: their default is
 * not checked here.
 */
export class InputErrors<C extends string = never> {
  readonly #all: InputError<C>[] = [];

  /** Everything found so far, in the order found. */
  get all(): readonly InputError<C>[] {
    return this.#all;
  }

  /** True while no error was found. */
  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** Adds an error in the common form. @param expected completes "must be …" */
  add(path: InputPath, value: unknown, expected: string, code: C | 'INVALID_VALUE' = 'INVALID_VALUE'): void {
    this.#addMessage(path, `${formatValue(value)} is not valid; must be ${expected}`, code);
  }

  /** Adds an error whose message is written by the caller. */
  report(code: C | 'INVALID_VALUE', path: InputPath, message: string): void {
    this.#all.push({ code, path: path.map(String), message });
  }

  /** Adds the errors of another collection. */
  addAll(errors: InputErrors<C>): void {
    this.#all.push(...errors.all);
  }

  /** A whole number in a range. */
  int(path: InputPath, value: number | null | undefined, min: number, max: number): void {
    if (value === null || value === undefined) return;
    if (!Number.isInteger(value)) this.add(path, value, `a whole number from ${min} to ${max}`);
    else if (value < min) this.#addMessage(path, `${value} is too small; must be at least ${min}`);
    else if (value > max) this.#addMessage(path, `${value} is too large; must be at most ${max}`);
  }

  /** A number in a range, which need not be whole. */
  number(path: InputPath, value: number | null | undefined, range: NumberRange): void {
    if (value === null || value === undefined) return;
    const { max } = range;
    const isInside = 'above' in range ? value > range.above : value >= range.min;
    if (isInside && value <= max) return;
    const start = 'above' in range ? `above ${range.above}, at most` : `from ${range.min} to`;
    this.add(path, value, `a number ${start} ${max}`);
  }

  /**
   * A text for people or a name: a number of characters (Unicode code points) in a range, no control
   * characters, no blanks at its ends.
   */
  text(path: InputPath, value: string, min: number, max: number): void {
    if (!isLong(value, min, max)) this.add(path, value, charactersFrom(min, max));
    else if (controls.test(value)) this.add(path, value, 'a text without control characters');
    else if (value.trim() !== value) this.add(path, value, 'a text without blanks at its ends');
  }

  /** The subject of a principal, under the rule for subjects in tokens. */
  subject(path: InputPath, value: string): void {
    if (!isLong(value, 1, 255)) this.add(path, value, charactersFrom(1, 255));
    else if (invisible.test(value)) this.add(path, value, 'a text without control or invisible characters');
  }

  /**
   * A text on one line that is passed on as it is, such as a command: a number of characters (Unicode code
   * points) in a range, no control characters.
   */
  line(path: InputPath, value: string, min: number, max: number): void {
    if (!isLong(value, min, max)) this.add(path, value, charactersFrom(min, max));
    else if (controls.test(value)) this.add(path, value, 'a text without control characters');
  }

  /** The same, with line breaks and tabs, such as a script that is an argument. */
  lines(path: InputPath, value: string, min: number, max: number): void {
    if (!isLong(value, min, max)) this.add(path, value, charactersFrom(min, max));
    else if (controlsInLines.test(value))
      this.add(path, value, 'a text without control characters other than line breaks and tabs');
  }

  /**
   * A text that is passed on as it is, such as the value of a variable: a number of characters (Unicode code
   * points) in a range, no NUL.
   */
  verbatim(path: InputPath, value: string, min: number, max: number): void {
    if (!isLong(value, min, max)) this.add(path, value, charactersFrom(min, max));
    else if (value.includes('\0')) this.add(path, value, 'a text without NUL characters');
  }

  /** The name of one file, which cannot lead out of its folder. @returns false if it is not valid */
  fileName(path: InputPath, name: string): boolean {
    const isName = fileName.test(name) && name !== '.' && name !== '..';
    const hasControls = controls.test(name);
    if (!isName) this.add(path, name, 'a file name of 1 to 255 characters without `/` and `\\`');
    else if (hasControls) this.add(path, name, 'a file name without control characters');
    return isName && !hasControls;
  }

  /** A text of a form. @param expected completes "must be …" */
  form(path: InputPath, value: string, pattern: RegExp, expected: string): void {
    if (!pattern.test(value)) this.add(path, value, expected);
  }

  /** A list with a number of entries in a range. */
  list(path: InputPath, values: readonly unknown[], max: number, min = 0): void {
    const { length } = values;
    const entries = `${length} ${length === 1 ? 'entry' : 'entries'}`;
    if (length > max) this.#addMessage(path, `${entries} are too many; must be at most ${max}`);
    else if (length < min) this.#addMessage(path, `${entries} are too few; must be at least ${min}`);
  }

  /** A list of at most `max` entries that all differ. */
  distinct(path: InputPath, values: readonly string[], max = Infinity): void {
    this.list(path, values, max);
    const seen = new Set<string>();
    values.forEach((value, position) => {
      if (seen.has(value))
        this.#addMessage([...path, position], `${formatValue(value)} occurs twice; must be unique`);
      seen.add(value);
    });
  }

  /** Labels: at most `max`, keys of the common form and each once, values of at most 255 characters. */
  labels(
    path: InputPath,
    labels: readonly { readonly key: string; readonly value: string }[],
    max: number,
  ): void {
    const keys = labels.map(({ key }) => key);
    this.distinct(path, keys, max);
    labels.forEach(({ key, value }, position) => {
      this.form([...path, position, 'key'], key, labelKey, labelKeyForm);
      this.text([...path, position, 'value'], value, 0, maxLabelValue);
    });
  }

  #addMessage(path: InputPath, text: string, code: C | 'INVALID_VALUE' = 'INVALID_VALUE'): void {
    this.report(code, path, `${path.join('.')}: ${text}`);
  }
}

function charactersFrom(min: number, max: number): string {
  return min === 0 ? `at most ${max} characters` : `${min} to ${max} characters`;
}

/**
 * Returns true if the number of code points is in the range. UTF-16 units bound it on both sides, so that
 * long texts are not counted.
 */
function isLong(value: string, min: number, max: number): boolean {
  if (value.length < min || value.length > 2 * max) return false;
  if (value.length <= max && value.length >= 2 * min) return true;
  let length = 0;
  for (const _character of value) length += 1;
  return length >= min && length <= max;
}
