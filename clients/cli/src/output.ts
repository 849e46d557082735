/** Output of commands: tables for people, JSON for programs. */
import type { Writable } from 'node:stream';
import stringWidth from 'string-width';

/** Streams and format of a command's output. */
export interface Output {
  readonly json: boolean;
  readonly stream: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** For progress and messages that are not part of the result. */
  readonly errors: Writable & { readonly isTTY?: boolean };
  /**
   * Where control characters are escaped: only in a terminal unless given. ALWAYS is for output that people
   * read, also later from a file.
   */
  readonly escapes?: 'ALWAYS' | 'NEVER';
}

/** Decides on escapes in texts for a stream of this output. */
export function rulesOf(
  { escapes }: Output,
  stream: { readonly isTTY?: boolean },
): { readonly isTTY?: boolean } {
  return escapes === undefined ? stream : { isTTY: escapes === 'ALWAYS' };
}

const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;:]*m`, 'g');

/**
 * A text as it may be written to a stream. Names, errors and logs come from other users: in a terminal, their
 * control characters could move the cursor, forge lines or change the window title. So colours are removed
 * and other control characters are escaped. Other streams get the text unchanged.
 */
export function printable(text: string, stream: { readonly isTTY?: boolean }): string {
  if (stream.isTTY !== true) return text;
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(colours, '')
    .replaceAll(/[^\P{Cc}\n\t]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, escaped);
}

/** The same on one line, for table cells. */
export function printableCell(text: string, stream: { readonly isTTY?: boolean }): string {
  return stream.isTTY === true ? printable(text, stream).replaceAll(/[\n\t]/g, escaped) : text;
}

function escaped(character: string): string {
  const named: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };
  const code = character.charCodeAt(0);
  const digits = code.toString(16);
  return (
    named[character] ?? (code < 0x80 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`)
  );
}

/** Writes a line of the result. */
export function printLine(output: Output, text: string): void {
  output.stream.write(`${printable(text, rulesOf(output, output.stream))}\n`);
}

/** Writes one JSON document, on one line if `lines`, otherwise indented. */
export function printJson(output: Output, value: unknown, lines = false): void {
  printLine(output, JSON.stringify(value, null, lines ? undefined : 2));
}

/** A listener that prints one line each time a stream is interrupted, and none for further attempts. */
export function reportReconnecting(output: Output): (event: { readonly attempt: number }) => void {
  return ({ attempt }) => {
    if (attempt === 1) output.errors.write('reconnecting…\n');
  };
}

/** Spaces between columns. */
const gap = 2;
/** Columns are not made narrower than this, so that words stay whole. */
const narrowest = 14;

/**
 * Writes rows under a header with aligned columns. In a terminal that is too narrow, the widest columns are
 * wrapped at spaces; output for programs is never wrapped.
 */
export function printTable(
  output: Output,
  head: readonly string[],
  values: readonly (readonly string[])[],
): void {
  const { isTTY, columns } = output.stream;
  const rows = values.map((row) => row.map((cell) => printableCell(cell, rulesOf(output, output.stream))));
  const natural = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => widthOf(row[column] ?? ''))),
  );
  const widths = isTTY && columns !== undefined ? fitWidths(natural, head, columns) : natural;
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, column) => wrapCell(cell, widths[column] ?? 0));
    const height = Math.max(1, ...cells.map(({ length }) => length));
    for (let line = 0; line < height; line += 1) {
      const parts = cells.map((cell, column) => padded(cell[line] ?? '', widths[column] ?? 0));
      printLine(output, parts.join(' '.repeat(gap)).trimEnd());
    }
  }
}

const isPlain = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

/** Columns that a text takes in a terminal: some characters take two, and some none. */
function widthOf(text: string): number {
  return isPlain(text) ? text.length : stringWidth(text);
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Longest start of a text that takes at most this number of columns; at least one character. */
export function startOf(text: string, width: number): string {
  if (isPlain(text)) return text.slice(0, Math.max(1, width));
  let start = '';
  let used = 0;
  for (const { segment } of characters.segment(text)) {
    used += widthOf(segment);
    if (used > width && start !== '') break;
    start += segment;
  }
  return start;
}

/** Column widths that fit where possible: the widest column is narrowed repeatedly. */
function fitWidths(natural: readonly number[], head: readonly string[], columns: number): readonly number[] {
  const widths = [...natural];
  const least = head.map((title) => Math.max(title.length, narrowest));
  const available = columns - gap * (head.length - 1);
  let over = widths.reduce((sum, width) => sum + width, 0) - available;
  while (over > 0) {
    const spare = widths.map((width, column) => (width > (least[column] ?? 0) ? width : 0));
    const widest = Math.max(...spare);
    if (widest === 0) break;
    const at = spare.indexOf(widest);
    widths[at] = widest - 1;
    over -= 1;
  }
  return widths;
}

/** The lines of a cell: wrapped at spaces, and within a word that is too long. */
function wrapCell(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let left = text;
  while (width > 0 && widthOf(left) > width) {
    const fitting = startOf(left, width).length;
    const space = left.lastIndexOf(' ', fitting);
    const at = space > 0 ? space : fitting;
    lines.push(left.slice(0, at));
    left = left.slice(at).trimStart();
  }
  return [...lines, left];
}

/** Writes names and values, one per line, without null and empty values. */
export function printFields(
  output: Output,
  facts: readonly (readonly [string, string | number | null | undefined])[],
): void {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length));
  for (const [name, value] of known)
    printLine(
      output,
      `${name.padEnd(width)}  ${printableCell(String(value), rulesOf(output, output.stream))}`,
    );
}

/** Time since a moment, as `12s`, `5m`, `3h`, `2d`. */
export function ago(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** A number of bytes with a binary unit. */
export function bytes(amount: number | null): string {
  if (amount === null) return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = amount === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(amount) / 10));
  return `${Number((amount / 2 ** (10 * power)).toPrecision(3))} ${units[power]}`;
}

/** A bar of `width` cells, filled to a fraction of 1. */
export function bar(part: number, width: number): string {
  const filled = Math.max(0, Math.min(width, Math.round(part * width)));
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}

/** A word for a number of things. */
export function plural(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}
