/** Collects what is wrong with an input, for `userErrors`: each entry names the field, the value and what would be right. */
import { show } from '@rhizome/errors';

/** One entry of `userErrors`. */
export interface Problem<TCode extends string> {
  readonly message: string;
  readonly path: readonly string[];
  readonly code: TCode | 'INVALID_VALUE';
}

type Path = readonly (string | number)[];

/** Keys and values of labels, everywhere. */
const labelKey = /^[A-Za-z0-9._/-]{1,63}$/;

/** Faults of one input. */
export class Problems<TCode extends string = never> {
  readonly found: Problem<TCode>[] = [];

  /** True while nothing is wrong. */
  get none(): boolean {
    return this.found.length === 0;
  }

  /** Notes that a value is not what it may be. */
  invalid(path: Path, value: unknown, expected: string): void {
    this.add('INVALID_VALUE', path, `${path.join('.')}: ${show(value)} is not valid; expected ${expected}`);
  }

  /** Notes any fault. */
  add(code: TCode | 'INVALID_VALUE', path: Path, message: string): void {
    this.found.push({ code, path: path.map(String), message });
  }

  /** A text of so many characters, without characters that no terminal shows. */
  text(path: Path, value: string, min: number, max: number): void {
    const length = [...value].length;
    if (length < min || length > max || value.trim() !== value || hasControl(value)) {
      this.invalid(path, value, `${min} to ${max} characters, printable, without blanks at its ends`);
    }
  }

  /** A text of a form. */
  form(path: Path, value: string, pattern: RegExp, expected: string): void {
    if (!pattern.test(value)) this.invalid(path, value, expected);
  }

  /** A whole number in a range; null and undefined pass. */
  whole(path: Path, value: number | null | undefined, min: number, max: number): void {
    if (value === null || value === undefined) return;
    if (!Number.isInteger(value) || value < min || value > max) {
      this.invalid(path, value, `a whole number from ${min} to ${max}`);
    }
  }

  /** A list of at most so many entries, each once. */
  distinct(path: Path, values: readonly string[], max: number): void {
    if (values.length > max) this.invalid(path, `${values.length} entries`, `at most ${max} entries`);
    const seen = new Set<string>();
    values.forEach((value, index) => {
      if (seen.has(value)) this.invalid([...path, index], value, 'each entry once');
      seen.add(value);
    });
  }

  /** Labels: keys of the common form, each once. */
  labels(path: Path, labels: readonly { readonly key: string; readonly value: string }[], max: number): void {
    this.distinct(
      path,
      labels.map(({ key }) => key),
      max,
    );
    labels.forEach(({ key, value }, index) => {
      this.form([...path, index, 'key'], key, labelKey, '1 to 63 letters, digits, ".", "_", "-", "/"');
      if (value.length > 255 || hasControl(value)) {
        this.invalid([...path, index, 'value'], value, 'up to 255 printable characters');
      }
    });
  }
}

/** C0, DEL and C1: what could steer a terminal or hide in a log line. */
function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
