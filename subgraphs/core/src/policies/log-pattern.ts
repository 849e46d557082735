/**
 * Patterns for the output of payloads: RE2 syntax, matched in time linear in the text by a library without
 * backtracking.
 */
import { RE2JS } from 're2js';

/** Size of the end of a log that patterns see, in characters. */
export const logTailCharacters = 32_768;

const maxLength = 500;
/** Instructions of the compiled pattern; the time of a match is at most their product with the text. */
const maxProgram = 1000;
/** Longest line in the evidence, in characters. */
const shownCharacters = 200;

/** A compiled pattern. */
export interface LogPattern {
  /** The line with the first match, shortened; undefined if there is none. */
  find(text: string): string | undefined;
}

/** Compiles a pattern. @returns the expected form if it is refused */
export function logPattern(text: string): LogPattern | { readonly expected: string } {
  if (text === '' || text.length > maxLength) return { expected: `1 to ${maxLength} characters` };
  try {
    const compiled = RE2JS.compile(text, RE2JS.MULTILINE);
    if (compiled.programSize() > maxProgram)
      return { expected: 'a smaller pattern: repetitions such as {100} make it too large' };
    return { find: (log) => lineOf(compiled, log) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { expected: `a regular expression in RE2 syntax: ${why}` };
  }
}

function lineOf(pattern: RE2JS, text: string): string | undefined {
  const matcher = pattern.matcher(text);
  if (!matcher.find()) return undefined;
  const at = matcher.start();
  const begin = text.lastIndexOf('\n', at - 1) + 1;
  const end = text.indexOf('\n', at);
  const line = text.slice(begin, end < 0 ? text.length : end).trim();
  return line.length <= shownCharacters ? line : `${line.slice(0, shownCharacters - 1)}…`;
}
