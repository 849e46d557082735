import { describe, expect, it } from '@jest/globals';
import { ESLint } from 'eslint';
import { join } from 'node:path';
import { read, root } from './repository.js';

const eslint = new ESLint({ cwd: root });
/** Rules that report errors for a text at a path. */
async function errorsOf(path: string, text: string): Promise<readonly (string | null)[]> {
  const [result] = await eslint.lintText(text, { filePath: join(root, path) });
  return (result?.messages ?? []).filter(({ severity }) => severity === 2).map(({ ruleId }) => ruleId);
}

// The wrong wording is put together here, so that this file does not contain it.
const wrong = ['as', 'far', 'as'].join(' ');
const long = 'word '.repeat(30).trim();

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
  ])('refuses %s', async (_what, path, text, rule) => {
    expect(await errorsOf(path, text)).toContain(rule);
  });

  it('includes the spell checker', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(scripts['lint']).toContain('cspell lint');
    expect(read('tools/test.mjs')).toContain('node_modules/cspell/bin.mjs');
  });
});
