/** Finds the lines of a log that explain a failure. Pure. */
import { type LogPattern, logPatterns } from './log-patterns.js';

/** Lines that a pattern explains. */
export interface LogFinding {
  readonly pattern: LogPattern;
  /** The last matching line with those around it, at most {@link mostLines}. */
  readonly excerpt: string;
  /** The last matching line. */
  readonly line: string;
  /** Number of matching lines. */
  readonly count: number;
}

/** Size of the end of a log that is read, in characters. */
export const readCharacters = 16_384;
/** Most lines of an excerpt. */
export const mostLines = 20;
/** Lines of an excerpt after the matching one. */
const linesAfter = 6;
/** Longest line that is matched and shown, in characters. */
const longestLine = 500;
/** Most lines that are matched: a log of short lines takes no more time than another. */
const mostMatched = 400;
/** Lines at the end without a match. */
const lastLines = 10;

/**
 * Patterns that lines of the end of a log match, the most certain first. Each line counts for the first
 * pattern that it matches; of several matches, the last one is shown, because programs end with it.
 */
export function findInLog(tail: string | null): readonly LogFinding[] {
  const lines = linesOf(tail);
  const matches = new Map<LogPattern, number[]>();
  for (const [position, line] of lines.entries()) {
    const pattern = logPatterns.find((one) => one.line.test(line));
    if (!pattern) continue;
    const found = matches.get(pattern);
    if (found) found.push(position);
    else matches.set(pattern, [position]);
  }
  return [...matches]
    .map(([pattern, positions]) => ({
      ...{ pattern, count: positions.length, last: positions.at(-1) ?? 0 },
      excerpt: excerptAround(lines, positions.at(-1) ?? 0),
      line: lines[positions.at(-1) ?? 0] ?? '',
    }))
    .sort((one, other) => other.pattern.confidence - one.pattern.confidence || other.last - one.last)
    .map(({ last: _last, ...finding }) => finding);
}

/** The last lines of a log; undefined if it is empty. */
export function endOfLog(tail: string | null): string | undefined {
  const lines = linesOf(tail).slice(-lastLines);
  return lines.length === 0 ? undefined : lines.join('\n');
}

function excerptAround(lines: readonly string[], position: number): string {
  const end = Math.min(lines.length, position + 1 + linesAfter);
  return lines.slice(Math.max(0, end - mostLines), end).join('\n');
}

/** Lines without those that are blank; carriage returns of progress bars separate lines, too. */
function linesOf(tail: string | null): readonly string[] {
  return (tail ?? '')
    .split(/\r\n|\n|\r/)
    .filter((line) => line.trim() !== '')
    .slice(-mostMatched)
    .map((line) => line.slice(0, longestLine));
}
