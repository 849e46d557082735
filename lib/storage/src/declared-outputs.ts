/**
 * Entries by which jobs declare outputs: a file (`hist.txt`, `plots/a.png`), a folder with all that is below
 * it (`results/`), or a pattern (`plots/*.png`). In patterns, `*` and `?` stand for characters other than
 * `/`, and the part `**` for any number of folders. Core and pilots use the same rules.
 */
import { assertKey } from './keys.js';
import { StorageError } from './storage-error.js';

/** Largest size of an entry, and of the path of an output, in bytes of UTF-8. */
export const longestOutputBytes = 512;
/** Most outputs of one attempt. */
export const mostOutputs = 1000;
/** Largest size of the paths of the outputs of one attempt together, in bytes of UTF-8. */
export const mostOutputPathBytes = 65_536;
/** Most patterns among the entries of a job. */
export const mostOutputPatterns = 16;
/** Most folders above an output; core matches the parts of each reported path. */
export const mostOutputFolders = 32;
/** Most wildcards of one pattern, and most characters of a part with one: core matches each reported path. */
const mostWildcards = 16;
const longestWildcardPart = 64;

/** Kinds of entries. */
export type OutputKind = 'FILE' | 'FOLDER' | 'PATTERN';

/** @throws StorageError INVALID if it is no entry */
export function assertDeclaredOutput(entry: string): void {
  assertOutputPath(entry.endsWith('/') && entry !== '/' ? entry.slice(0, -1) : entry);
  if (kindOfOutput(entry) === 'FOLDER') {
    if (/[*?]/.test(entry))
      throw invalid(entry, 'is a folder with `*` or `?`; must be a pattern or a folder');
    return;
  }
  const parts = entry.split('/').filter((part) => /[*?]/.test(part));
  const isPartly = parts.some((part) => part.includes('**') && part !== '**');
  if (isPartly) throw invalid(entry, 'has `**` with other characters in a part; must be a part of its own');
  if (entry === '**' || entry.endsWith('/**')) throw invalid(entry, 'ends with `**`; must end with a name');
  if (parts.some(({ length }) => length > longestWildcardPart))
    throw invalid(
      entry,
      `has a long part with a wildcard; must have at most ${longestWildcardPart} characters`,
    );
  const wildcards = entry.match(/[*?]+/g)?.length ?? 0;
  if (wildcards > mostWildcards)
    throw invalid(entry, `has ${wildcards} wildcards; must have at most ${mostWildcards}`);
}

/** @throws StorageError INVALID if an output cannot have the path */
export function assertOutputPath(path: string): void {
  assertKey(path);
  const bytes = Buffer.byteLength(path);
  if (bytes > longestOutputBytes)
    throw invalid(path, `has ${bytes} bytes; must have at most ${longestOutputBytes}`);
  const folders = path.split('/').length - 1;
  if (folders > mostOutputFolders)
    throw invalid(path, `is ${folders} folders deep; must be at most ${mostOutputFolders}`);
}

/** Kind of a valid entry. */
export function kindOfOutput(entry: string): OutputKind {
  if (entry.endsWith('/')) return 'FOLDER';
  return /[*?]/.test(entry) ? 'PATTERN' : 'FILE';
}

/** True if a file with this path is one of an entry. */
export function isDeclaredBy(path: string, entry: string): boolean {
  switch (kindOfOutput(entry)) {
    case 'FILE':
      return path === entry;
    case 'FOLDER':
      return path.length > entry.length && path.startsWith(entry);
    case 'PATTERN':
      return matchesParts(entry.split('/'), path.split('/'));
  }
}

function matchesParts(pattern: readonly string[], parts: readonly string[]): boolean {
  return parts.length <= mostOutputFolders + 1 && matches(pattern, parts, '**', matchesPart);
}

/**
 * Folder in which the files of an entry are, as parts, and how many folders deep they may be below it:
 * `Infinity` for a folder and for `**`.
 */
export function searchOf(entry: string): { readonly base: readonly string[]; readonly depth: number } {
  const parts = entry.split('/');
  if (kindOfOutput(entry) === 'FOLDER') return { base: parts.slice(0, -1), depth: Infinity };
  const folders = parts.slice(0, -1);
  const first = folders.findIndex((part) => /[*?]/.test(part));
  const base = first < 0 ? folders : folders.slice(0, first);
  return { base, depth: folders.includes('**') ? Infinity : folders.length - base.length };
}

function matchesPart(pattern: string, part: string): boolean {
  return matches([...pattern], [...part], '*', (one, other) => one === '?' || one === other);
}

/**
 * Matches a list with a pattern in which `any` stands for any number of items. Takes time in proportion to
 * the product of both lengths: a wildcard is only ever extended, never tried again.
 */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  any: string,
  matchesOne: (pattern: string, item: string) => boolean,
): boolean {
  let at = 0;
  /** Positions after the last wildcard, and of the first item that it does not stand for. */
  let last: { readonly pattern: number; item: number } | undefined;
  for (let item = 0; item < items.length;) {
    const one = pattern[at];
    if (one === any) {
      at += 1;
      last = { pattern: at, item };
    } else if (one !== undefined && matchesOne(one, items[item] ?? '')) {
      at += 1;
      item += 1;
    } else if (last) {
      last.item += 1;
      [at, item] = [last.pattern, last.item];
    } else return false;
  }
  return pattern.slice(at).every((one) => one === any);
}

function invalid(entry: string, fault: string): StorageError {
  const shown = JSON.stringify(entry.length > 120 ? `${entry.slice(0, 120)}…` : entry);
  return new StorageError('INVALID', `Output ${shown} ${fault}`);
}
