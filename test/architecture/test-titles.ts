/** Titles of tests, as their sources declare them. */
import ts from 'typescript';
import { groups } from '../security/attack/groups.js';
import { read } from './repository.js';

/**
 * Whole titles of the tests in a file, `group › title`. `%s` of a table is replaced by
 * its cases if the table is a list of texts, and a last `: %s` by `(all cases)`.
 */
export function testTitles(path: string): readonly string[] {
  const titles = titlesIn(read(path));
  if (path !== 'test/security/attack/attack.e2e.ts') return titles;
  const names = Object.values(groups).flatMap((cases) => cases.map(({ name }) => name));
  return titles.flatMap((title) =>
    title.includes('withstands %s') ? names.map((name) => `the system withstands ${name}`) : [title],
  );
}

/** Whole titles of the calls of `it` and `it.each` in a source. */
export function titlesIn(source: string): readonly string[] {
  const file = ts.createSourceFile('tests.ts', source, ts.ScriptTarget.Latest);
  const titles: string[] = [];
  const visit = (node: ts.Node, above: readonly string[]): void => {
    const title = ts.isCallExpression(node) ? titleOf(node, file) : undefined;
    const path = title ? [...above, title.text] : above;
    if (title?.isTest) titles.push(path.join(' › '));
    ts.forEachChild(node, (child) => visit(child, path));
  };
  visit(file, []);
  return titles;
}

/** Title of a call of `it`, `describe`, or their tables; undefined for any other call. */
function titleOf(
  call: ts.CallExpression,
  file: ts.SourceFile,
): { readonly text: string; readonly isTest: boolean } | undefined {
  const table = ts.isCallExpression(call.expression) ? call.expression : undefined;
  const called = (table ?? call).expression.getText(file);
  const isTest = called === (table ? 'it.each' : 'it');
  if (!isTest && called !== (table ? 'describe.each' : 'describe')) return undefined;
  const [title] = call.arguments;
  if (!title) return undefined;
  if (ts.isTemplateExpression(title)) return { text: title.getText(file).slice(1, -1), isTest };
  if (!ts.isStringLiteralLike(title)) return undefined;
  return { text: table ? withCases(title.text, table.arguments[0]) : title.text, isTest };
}

function withCases(title: string, table: ts.Expression | undefined): string {
  if (title.endsWith(': %s')) return `${title.slice(0, -': %s'.length)} (all cases)`;
  const list = table && ts.isAsExpression(table) ? table.expression : table;
  if (!list || !ts.isArrayLiteralExpression(list)) return title;
  const cases = list.elements.map((element) =>
    ts.isArrayLiteralExpression(element) ? element.elements[0] : element,
  );
  const texts = cases.flatMap((one) => (one && ts.isStringLiteralLike(one) ? [one.text] : []));
  if (texts.length !== cases.length) return title;
  const last = texts.pop() ?? '';
  return title.replace('%s', texts.length === 0 ? last : `${texts.join(', ')} or ${last}`);
}
