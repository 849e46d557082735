/** Flags that several commands share, and reading of pages. */
import { type Command, InvalidArgumentError } from 'commander';
import type { ExitCode } from '../exit-codes.js';

/** Passes a command's exit code to the process. */
export type Finish = (result: Promise<ExitCode>) => Promise<void>;

/** Collects a flag that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** A parser of whole numbers from `minimum` to `maximum`. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = numberIn(text, minimum, maximum);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`Must be a whole number from ${minimum} to ${maximum}.`);
  };
}

/** A number, or a word for none: commander replaces a parsed null by an empty text. */
export interface OptionalNumber {
  readonly value: number | null;
}

/**
 * A parser of whole numbers, or a word for none.
 * @param none the word, such as `off`
 */
export function numberOr(none: string, minimum: number, maximum: number): (text: string) => OptionalNumber {
  return (text) => {
    const value = text === none ? null : numberIn(text, minimum, maximum);
    if (value !== undefined) return { value };
    throw new InvalidArgumentError(`Must be a whole number from ${minimum} to ${maximum}, or ${none}.`);
  };
}

/** The whole number of a text; undefined if it is none, or out of range. */
function numberIn(text: string, minimum: number, maximum: number): number | undefined {
  const value = Number(text);
  const isInside = Number.isInteger(value) && value >= minimum && value <= maximum;
  return isInside && text.trim() !== '' ? value : undefined;
}

/** A parser of times, as ISO 8601. */
export function timeOf(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('Must be a time such as 2026-11-01.');
  return time.toISOString();
}

/** A key and its value. */
export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** A parser of `key=value`. */
export function pairOf(text: string): Pair {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Must be NAME=VALUE.');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** A parser of a repeated flag that takes `key=value`. */
export function collectPairs(text: string, before: readonly Pair[]): readonly Pair[] {
  return [...before, pairOf(text)];
}

/** A parser of the address of a GraphQL endpoint. */
export function urlOf(text: string): string {
  if (/^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '')) return text;
  throw new InvalidArgumentError('Must be a URL such as http://host:port/graphql.');
}

interface Page<T> {
  readonly nodes: readonly T[];
  readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
}

/** Reads pages of at most 100 nodes until `limit` is reached or there are no more. Null is an empty page. */
export async function pagesUpTo<T>(
  limit: number,
  read: (first: number, after: string | null) => Promise<Page<T> | null>,
): Promise<readonly T[]> {
  const nodes: T[] = [];
  for (let after: string | null = null; nodes.length < limit;) {
    const page: Page<T> | null = await read(Math.min(100, limit - nodes.length), after);
    if (page === null) break;
    nodes.push(...page.nodes);
    after = page.pageInfo.endCursor;
    if (!page.pageInfo.hasNextPage || after === null) break;
  }
  return nodes;
}

/** A parser of a flag with values from a list, in any case. */
export function oneOf<T extends string>(words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((candidate) => candidate === value.toUpperCase());
    if (word === undefined) throw new InvalidArgumentError(`Must be one of ${words.join(', ')}.`);
    return word;
  };
}

/** The same for a flag that may be repeated. */
export function collectOneOf<T extends string>(
  words: readonly T[],
): (value: string, before: readonly T[]) => readonly T[] {
  const parse = oneOf(words);
  return (value, before) => [...before, parse(value)];
}

/** The flags that are given among these, as they are typed: `--job-name` for `jobName`. */
export function givenFlags<F extends object>(
  flags: F,
  options: readonly (keyof F & string)[],
): readonly string[] {
  return options
    .filter((name) => {
      const value: unknown = flags[name];
      // A flag that may be repeated begins with none.
      return value !== undefined && !(Array.isArray(value) && value.length === 0);
    })
    .map((name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
}

/** Flags of a command with a dry run. */
export interface DryRunFlags {
  readonly dryRun?: boolean;
}

/** Adds the flag of a dry run. */
export function withDryRun(command: Command): Command {
  return command.option('--dry-run', 'show what would change, and change nothing');
}
