import { describe, expect, it } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

const text = /\.(ts|tsx|js|mjs|json|md|graphql|ya?ml|html|css|sh)$|\/run$/;

describe('the repository', () => {
  it.each([
    ['absolute paths of a machine', /(^|[^A-Za-z0-9_.-])\/(work|root|home\/[a-z]+|Users\/[A-Za-z]+)\//],
    [
      'hosts of package registries',
      /registry\.npmjs\.org|pypi\.org|files\.pythonhosted\.org|registry\.yarnpkg\.com/,
    ],
  ])('has no %s', (_what, pattern) => {
    const found = repositoryFiles()
      .filter((path) => text.test(path) && !path.startsWith('test/architecture/'))
      .flatMap((path) =>
        read(path)
          .split('\n')
          .flatMap((line, index) =>
            pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [],
          ),
      );
    expect(found).toEqual([]);
  });

  it('has no test that is switched off', () => {
    const off = /\b(it|test|describe)\.(skip|only|todo)\b|\bx(it|test|describe)\(|jest\.retryTimes/;
    const found = repositoryFiles()
      .filter((path) => /\.(test|e2e)\.ts$/.test(path) && !path.startsWith('test/architecture/'))
      .flatMap((path) =>
        read(path)
          .split('\n')
          .flatMap((line, index) => (off.test(line) ? [`${path}:${index + 1}`] : [])),
      );
    expect(found).toEqual([]);
  });

  it('has only the documented commands in the root package', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).sort()).toEqual([
      'bench',
      'build',
      'dev',
      'generate',
      'lint',
      'playground',
      'soak',
      'test',
      'test:loaded',
      'test:watch',
    ]);
  });
});
