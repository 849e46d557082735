import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ESLint } from 'eslint';
import { join } from 'node:path';
import { read, root } from './repository.js';

const namingRule = '@typescript-eslint/naming-convention';
const eslint = new ESLint({ cwd: root });
/** Rules that report errors for a text at a path. */
async function errorsOf(path: string, text: string): Promise<readonly (string | null)[]> {
  const [result] = await eslint.lintText(text, { filePath: join(root, path) });
  return (result?.messages ?? []).filter(({ severity }) => severity === 2).map(({ ruleId }) => ruleId);
}

// The wrong wording is put together here, so that this file does not contain it.
const wrong = ['as', 'far', 'as'].join(' ');
const long = 'word '.repeat(30).trim();
const [verb, noun] = ['to', 'ro'].map((start, at) => start + ['ld', 'om'][at]) as [string, string];
const unknown = ['qux', 'ly'].join('');

const misspelled: readonly (readonly [what: string, text: string, term: string])[] = [
  ['a flagged term', `It is ${verb} once.`, verb],
  ['its possessive form', `The ${noun}'s size.`, noun],
  ['its possessive form with a typographic apostrophe', `The ${noun}\u2019s size.`, noun],
  ['a part of an identifier', `The field \`${noun}Left\`.`, noun],
  ['an unknown term', `The ${unknown} job.`, unknown],
];
const correct = "The job's limits are the queue's. It isn't the pilot's; it's the user's.";

/** Terms that the spell checker reports, by text. One run for all: it takes seconds to start. */
function misspelledIn(texts: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const checker = join(root, 'node_modules/cspell/bin.mjs');
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [checker, 'lint', '--no-progress', '--no-summary', '--no-color', `stdin://${join(root, 'docs/x.md')}`],
    { cwd: root, input: texts.join('\n\n'), encoding: 'utf8' },
  );
  if (stdout === '') throw new Error(stderr);
  const found = [...stdout.matchAll(/:(\d+):\d+ - .*?\((\S+)\)/g)];
  const lineOf = (text: string): number => 2 * texts.indexOf(text) + 1;
  return new Map(
    texts.map((text) => [
      text,
      found.flatMap(([, line, term = '']) => (Number(line) === lineOf(text) ? [term] : [])),
    ]),
  );
}

describe('lint', () => {
  it.each([
    [
      'wording in a comment',
      'lib/retry/src/x.ts',
      `// It works ${wrong} it can.\n`,
      'language/plain-language',
    ],
    ['wording in Markdown', 'docs/x.md', `It works ${wrong} it can.\n`, 'language/plain-language'],
    [
      'a clause as docblock',
      'lib/retry/src/x.ts',
      '/** Whether it works. */\nexport const x = 1;\n',
      'language/docblocks',
    ],
    [
      'a test name without a verb',
      'lib/retry/src/x.test.ts',
      "it('a name', () => {});\n",
      'language/test-names',
    ],
    ['a long comment', 'lib/retry/src/x.ts', `// ${long}\n`, 'max-len'],
    ['a long line of Markdown', 'docs/x.md', `${long}\n`, 'language/line-length'],
    [
      'a description without a full stop',
      'subgraphs/core/src/jobs/graphql/schema.graphql',
      '"A thing"\ntype X { a: Int }\n',
      'language/descriptions',
    ],
    [
      'a comment in place of a description',
      'subgraphs/core/src/jobs/graphql/schema.graphql',
      '# A thing.\ntype X { a: Int }\n',
      '@graphql-eslint/no-hashtag-description',
    ],
    ...[
      'export const LIMIT_MS = 1;\n',
      'export const limit_ms = 1;\n',
      'export class X { static readonly LIMIT = 1; }\n',
    ].map((text) => ['a constant in another case', 'lib/retry/src/x.ts', text, namingRule] as const),
    ...['export class X { private a = 1; }\n', 'export enum X { A }\n', "export * from './sleep.js';\n"].map(
      (text) => ['another dialect', 'lib/retry/src/x.ts', text, 'no-restricted-syntax'] as const,
    ),
  ])('refuses %s', async (_what, path, text, rule) => {
    expect(await errorsOf(path, text)).toContain(rule);
  });

  it('accepts names and members of the one dialect', async () => {
    const text =
      'export const limitMs = 1;\nexport class X {\n  static readonly limit = 1;\n  #a = limitMs;\n}\n';
    const rules = await errorsOf('lib/retry/src/x.ts', text);
    expect(rules.filter((rule) => rule === namingRule || rule === 'no-restricted-syntax')).toEqual([]);
  });

  it('includes the spell checker', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(scripts['lint']).toContain('cspell lint');
    expect(read('tools/test.mjs')).toContain('node_modules/cspell/bin.mjs');
  });
});

// The flagged terms are put together above.
describe('the spell checker', () => {
  let found: ReadonlyMap<string, readonly string[]>;
  beforeAll(() => {
    found = misspelledIn([...misspelled.map(([, text]) => text), correct]);
  });

  it.each(misspelled)('refuses %s', (_what, text, term) => {
    expect(found.get(text)).toEqual([term]);
  });

  it('accepts possessive forms of other terms', () => {
    expect(found.get(correct)).toEqual([]);
  });
});
