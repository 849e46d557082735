import { expect, test } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

test('no test has less time than all have: what fails on a slow machine alone tells nothing', () => {
  const common = Number(/testTimeout: ([\d_]+)/.exec(read('jest.config.js'))?.[1]?.replaceAll('_', ''));
  expect(common).toBeGreaterThan(0);
  const short = repositoryFiles()
    .filter((path) => /\.(test|e2e)\.ts$/.test(path))
    .flatMap((path) => {
      const limits = read(path).matchAll(/^(?:jest\.setTimeout\(| *\}, )(\d[\d_]{3,})\);$/gm);
      return [...limits].map(([, limit = '']) => ({ path, limit: Number(limit.replaceAll('_', '')) }));
    })
    .filter(({ limit }) => limit <= common);
  expect(short).toEqual([]);
});
