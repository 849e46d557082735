/** Titles of tests, as their sources declare them. */
import { groups } from '../security/attack/groups.js';
import { read } from './repository.js';

/** Closing brackets by the opening ones. */
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** Titles of the tests in a file. Those of a table are as written, with `%s`; attacks have their names. */
export function testTitles(path: string): readonly string[] {
  const titles = titlesIn(read(path));
  if (path !== 'test/security/attack/attack.e2e.ts') return titles;
  const names = Object.values(groups).flatMap((cases) => cases.map(({ name }) => name));
  return titles.flatMap((title) =>
    title.includes('%s') ? names.map((name) => title.replace('%s', name)) : [title],
  );
}

/** Titles of the calls of `it` and `it.each` in a source. */
export function titlesIn(source: string): readonly string[] {
  const titles: string[] = [];
  for (const { index, 0: call, 1: each } of source.matchAll(/(?<![\w.'"`])it(\.each(?:<.*?>)?)?(?=\()/gs)) {
    const start = index + call.length;
    const open = each === undefined ? start : endOf(source, start);
    const [text, quote] = /^\(\s*(['"`])/.exec(source.slice(open)) ?? [];
    if (text === undefined || quote === undefined) continue;
    const from = open + text.length;
    const title = source.slice(from, endOf(source, from - 1) - 1);
    titles.push(title.replaceAll(`\\${quote}`, quote));
  }
  return titles;
}

/** Position after the text, regular expression or brackets that begin at a position. */
function endOf(source: string, start: number): number {
  const end = closing[source[start] ?? ''];
  let at = start + 1;
  while (at < source.length) {
    const char = source[at] ?? '';
    if (end === undefined && char === '\\') at += 2;
    else if (end === undefined && char === source[start]) return at + 1;
    else if (char === end) return at + 1;
    else if (end !== undefined && (closing[char] !== undefined || isText(source, at))) at = endOf(source, at);
    else at += 1;
  }
  throw new Error(`No end of what begins with ${source.slice(start, start + 60)}`);
}

/** True if a text, or a regular expression as an element or argument, begins at a position. */
function isText(source: string, at: number): boolean {
  const char = source[at] ?? '';
  return (
    `'"\``.includes(char) || (char === '/' && /[[(,=:]\s*$/.test(source.slice(Math.max(0, at - 40), at)))
  );
}
