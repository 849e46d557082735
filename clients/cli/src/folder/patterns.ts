/** Patterns for paths, in the syntax of `.gitignore`. */
import ignored from 'ignore';

/** True for a path that the patterns match; a folder ends with `/`. */
export type Matches = (path: string) => boolean;

/** Reads patterns. Later ones take precedence; `!` at the beginning takes an earlier one back. */
export function patterns(lines: readonly string[]): Matches {
  const list = ignored.default().add(lines);
  return (path) => ignored.default.isPathValid(path) && list.ignores(path);
}
