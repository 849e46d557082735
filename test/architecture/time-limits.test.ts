import { describe, expect, it } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

/** Shortest time in milliseconds after which a wait for an event may fail. */
const shortestWaitMs = 60_000;

const tests = repositoryFiles().filter((path) =>
  /\.(test|e2e|soak|fixture)\.ts$|^test\/|\/testing\//.test(path),
);

/** Values of number literals that a pattern finds in tests. */
function limitsIn(pattern: RegExp): readonly { readonly path: string; readonly limit: number }[] {
  return tests.flatMap((path) =>
    [...read(path).matchAll(pattern)].map(([, limit = '']) => ({
      path,
      limit: Number(limit.replaceAll('_', '')),
    })),
  );
}

describe('a time limit', () => {
  it('is longer than the common one if a test has its own', () => {
    const common = Number(/testTimeout: ([\d_]+)/.exec(read('jest.config.js'))?.[1]?.replaceAll('_', ''));
    expect(common).toBeGreaterThan(0);
    const own = limitsIn(/^(?:jest\.setTimeout\(| *\}, )(\d[\d_]{3,})\);$/gm);
    expect(own.filter(({ limit }) => limit <= common)).toEqual([]);
  });

  it('is at least a minute where a test waits for an event', () => {
    const usual = /usualLimitMs = ([\d_]+)/.exec(read('lib/testkit/src/wait-for.ts'))?.[1] ?? '0';
    expect(Number(usual.replaceAll('_', ''))).toBeGreaterThanOrEqual(shortestWaitMs);
    // The test of `waitFor` itself lets a wait fail.
    const short = limitsIn(/\blimitMs: ([\d_]+)/g).filter(({ limit }) => limit < shortestWaitMs);
    expect(short.map(({ path }) => path)).toEqual(['lib/testkit/src/wait-for.test.ts']);
  });
});
