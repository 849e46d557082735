import { expect, it } from '@jest/globals';
import { exemptions, promises } from '@rhizome/testkit';
import { read, repositoryFiles } from './repository.js';

// The history checker checks every job of a test when a database is dropped, a store stops, or the folder of
// a system is removed. Only a test with a store or a playground folder of its own could avoid it.

const sources = repositoryFiles().filter((path) => /\.(ts|mjs)$/.test(path));
/** Tests, benchmarks and their support code. */
const tests = sources.filter(
  (path) =>
    /\.(test|e2e|fixture)\.ts$/.test(path) || path.includes('/src/testing/') || /(^|\/)test\//.test(path),
);
const self = 'test/architecture/histories-are-checked.test.ts';

/** Test files that contain the names without using them. */
function thatSay(words: RegExp, places: RegExp): readonly string[] {
  return tests.filter((path) => path !== self && !places.test(path) && words.test(read(path)));
}

it('starts every store of a test through the testkit, which checks its history', () => {
  // The package of the store has no jobs.
  expect(thatSay(/\b(startMongod|openMongo)\(/, /^lib\/(mongo|testkit)\//)).toEqual([]);
});

it('checks the history of every playground that a test starts', () => {
  const starts = /playground['"/, ]+bundle['"/, ]+bin\.js|['"]playground['"], ['"]--['"]/;
  const found = thatSay(starts, /^$/);
  // The pattern matches both spellings.
  expect(found).toEqual(
    expect.arrayContaining(['test/e2e/system/playground-system.ts', 'test/e2e/ctrl-c/ctrl-c.e2e.ts']),
  );
  expect(found.filter((path) => !/\b(dataFolder|checkHistory)\(/.test(read(path)))).toEqual([]);
});

it('gives every test with a core its database', () => {
  const cores = thatSay(/\bbuildCore\(/, /^$/);
  expect(cores).not.toEqual([]);
  // A benchmark's server gets the address of a store that its parent has from the testkit.
  const exempt = ['test/bench/live/server-process.ts'];
  const wrong = cores.filter(
    (path) => !exempt.includes(path) && !/\b(testDatabase|ownMongod)\(/.test(read(path)),
  );
  expect(wrong).toEqual([]);
});

it('exempts only files that exist from checks that exist, each with a reason', () => {
  const checks = Object.values(promises).flatMap((ofPromise) => Object.keys(ofPromise));
  for (const { file, checks: left, reason } of exemptions) {
    expect(tests).toContain(file);
    expect(left === 'all' ? [] : left.filter((check) => !checks.includes(check))).toEqual([]);
    expect(reason.length).toBeGreaterThan(20);
  }
  expect(new Set(exemptions.map(({ file }) => file)).size).toBe(exemptions.length);
  // A checker that many files avoid checks little: write jobs as core does instead.
  expect(exemptions.length).toBeLessThanOrEqual(12);
  expect(exemptions.filter((one) => one.checks === 'all').length).toBeLessThanOrEqual(2);
});

it('explains each promise and its checks on one page', () => {
  const page = read('docs/explanation/promises.md');
  const explained = page
    .split('\n## ')
    .slice(1)
    .map((section) => {
      const [title = ''] = section.split('\n');
      const names = [...section.matchAll(/^\| `([a-z-]+)`/gm)].map((match) => match[1]);
      return [title.toLowerCase(), names];
    });
  const stated = Object.entries(promises).map(([promise, ofPromise]) => [
    promise.toLowerCase(),
    Object.keys(ofPromise),
  ]);
  expect(explained).toEqual(stated);
});
