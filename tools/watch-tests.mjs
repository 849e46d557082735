// `npm run test:watch -- PATH…`: runs tests again when a source file is saved, and prints the time from save
// to result.
//
// PATH is what `npm test` accepts: a test, a source file (then the tests next to it), a folder, or a part of
// a path. Without a path, the unit tests next to the saved file run. Press Enter to run again, Ctrl-C to
// stop.
import { builtFile, projectOf, selectTests, testSources } from './test-files.mjs';
import { compile, root, runNode, watchSources } from './watching.mjs';

const cwd = process.env.INIT_CWD ?? process.cwd();
const paths = process.argv.slice(2).filter((argument) => argument !== '--');

/** The tests to run after `saved` files changed. */
function testsFor(saved) {
  const sources = testSources(root);
  if (paths.length > 0) return [...new Set(paths.flatMap((path) => selectTests(sources, path, root, cwd)))];
  return [...new Set(saved.flatMap((path) => selectTests(sources, path, root)))].filter(
    (source) => projectOf(source) === 'unit',
  );
}

let running = false;
let waiting;

/** Builds what changed and runs the tests; what is saved meanwhile is run afterwards. */
async function runTests(saved, savedAt = performance.now()) {
  if (running) {
    waiting = { saved: [...(waiting?.saved ?? []), ...saved], savedAt: waiting?.savedAt ?? savedAt };
    return;
  }
  const tests = testsFor(saved);
  if (tests.length === 0) {
    console.log('test:watch: no unit test next to the saved file; give a path to run tests for it');
    return;
  }
  running = true;
  const isBuilt = await compile();
  const isGreen =
    isBuilt &&
    (await runNode(
      'node_modules/jest/bin/jest.js',
      '--testLocationInResults=false',
      '--runTestsByPath',
      ...tests.map(builtFile),
    ));
  const seconds = ((performance.now() - savedAt) / 1000).toFixed(1);
  console.log(
    `test:watch: ${isGreen ? 'passed' : 'FAILED'} ${seconds} s after the save; waiting for changes`,
  );
  running = false;
  if (waiting) {
    const next = waiting;
    waiting = undefined;
    await runTests(next.saved, next.savedAt);
  }
}

if (paths.length > 0 && testsFor([]).length === 0) {
  console.error(`test:watch: no test matches ${paths.map((path) => `"${path}"`).join(', ')}`);
  process.exit(2);
}
await watchSources(['.ts', '.tsx', '.graphql', '.json', '.yaml'], (saved) => void runTests(saved));
process.stdin.on('data', () => void runTests(paths));
console.log('test:watch: watching sources; Ctrl-C stops');
if (paths.length > 0) await runTests(paths);
