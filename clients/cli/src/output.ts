/** How answers look: tables for people, JSON for programs. */
import type { Writable } from 'node:stream';

/** Where a command writes, and how. */
export interface Output {
  readonly json: boolean;
  readonly stream: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** For progress and for what is not the answer. */
  readonly errors: Writable & { readonly isTTY?: boolean };
}

/** Writes a line of the answer. */
export function say(output: Output, text: string): void {
  output.stream.write(`${text}\n`);
}

/** Writes one JSON document on one line if `lines`, else indented. */
export function sayJson(output: Output, value: unknown, lines = false): void {
  output.stream.write(`${JSON.stringify(value, null, lines ? undefined : 2)}\n`);
}

/** What a stream is told by that is opened again: a line for each time it broke, and none for further tries. */
export function tellReconnecting(output: Output): (event: { readonly attempt: number }) => void {
  return ({ attempt }) => {
    if (attempt === 1) output.errors.write('reconnecting…\n');
  };
}

/** Writes rows under a head, columns aligned; nothing but the head when there are none. */
export function sayTable(
  output: Output,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of [head, ...rows]) {
    say(
      output,
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Writes names and values, one a line; what is null or empty is left out. */
export function sayFacts(
  output: Output,
  facts: readonly (readonly [string, string | number | null | undefined])[],
): void {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...known.map(([name]) => name.length));
  for (const [name, value] of known) say(output, `${name.padEnd(width)}  ${value}`);
}

/** How long ago a time is, as `12s`, `5m`, `3h`, `2d`. */
export function ago(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 100) return `${seconds}s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** An amount of bytes for people. */
export function bytes(amount: number | null): string {
  if (amount === null) return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = amount === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(amount) / 10));
  return `${Number((amount / 2 ** (10 * power)).toPrecision(3))} ${units[power]}`;
}

/** A bar of `width` cells filled to a part of 1. */
export function bar(part: number, width: number): string {
  const filled = Math.max(0, Math.min(width, Math.round(part * width)));
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}
