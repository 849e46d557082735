import { expect, it } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

it('has no test with a shorter time limit than the common one', () => {
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
