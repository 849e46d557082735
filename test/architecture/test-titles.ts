/** Titles of tests, as their sources declare them. */
import ts from 'typescript';
import { groups } from '../security/attack/groups.js';
import { read } from './repository.js';

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
  const file = ts.createSourceFile('tests.ts', source, ts.ScriptTarget.Latest);
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isTest(node.expression, file)) {
      const [title] = node.arguments;
      if (title && ts.isStringLiteralLike(title)) titles.push(title.text);
      else if (title && ts.isTemplateExpression(title)) titles.push(title.getText(file).slice(1, -1));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return titles;
}

/** True for `it`, and for `it.each` with its table. */
function isTest(called: ts.Expression, file: ts.SourceFile): boolean {
  const named = ts.isCallExpression(called) ? called.expression : called;
  return named.getText(file) === (named === called ? 'it' : 'it.each');
}
