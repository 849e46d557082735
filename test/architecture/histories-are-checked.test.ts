import { expect, it } from '@jest/globals';
import { read, repositoryFiles } from './repository.js';

// Whatever a test gives to jobs is looked at by the checker of histories: where a database is dropped, a
// store ends, or a system's folder goes. A test can escape it only by a store that it starts itself, or by a
// playground on a folder of its own.

const sources = repositoryFiles().filter((path) => /\.(ts|mjs)$/.test(path));
/** Tests, benchmarks, and what only they are built on. */
const tests = sources.filter(
  (path) =>
    /\.(test|e2e|fixture)\.ts$/.test(path) || path.includes('/src/testing/') || /(^|\/)test\//.test(path),
);
const self = 'test/architecture/histories-are-checked.test.ts';

/** Test files that contain the names without using them. */
function thatSay(words: RegExp, places: RegExp): readonly string[] {
  return tests.filter((path) => path !== self && !places.test(path) && words.test(read(path)));
}

it('tests start their stores by the testkit, which looks at what their jobs were given', () => {
  // The package of the store has no jobs.
  expect(thatSay(/\b(startMongod|openMongo)\(/, /^lib\/(mongo|testkit)\//)).toEqual([]);
});

it('checks the history of every playground that a test starts', () => {
  const starts = /playground['"/, ]+dist['"/, ]+bin\.js|['"]playground['"], ['"]--['"]/;
  const found = thatSay(starts, /^$/);
  // Both spellings are met: the pattern is no dead letter.
  expect(found).toEqual(
    expect.arrayContaining(['test/e2e/system/playground-system.ts', 'test/e2e/ctrl-c/ctrl-c.e2e.ts']),
  );
  expect(found.filter((path) => !/\b(dataFolder|checkHistory)\(/.test(read(path)))).toEqual([]);
});

it('gives every test with a core its database', () => {
  const cores = thatSay(/\bbuildCore\(/, /^$/);
  expect(cores).not.toEqual([]);
  // A benchmark's server gets the address of a store that its parent has from the testkit.
  const handed = ['test/bench/live/server-process.ts'];
  const wrong = cores.filter(
    (path) => !handed.includes(path) && !/\b(testDatabase|ownMongod)\(/.test(read(path)),
  );
  expect(wrong).toEqual([]);
});
