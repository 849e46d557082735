// `npm run test:watch -- PATH…`: runs tests again when a source file is saved, and prints the time from save
// to result.
//
// PATH is what `npm test` accepts: a test, a source file (then the tests next to it), a folder, or a part of
// a path. Without a path, the unit tests next to the saved file run. Press Enter to run again, Ctrl-C to
// stop.
import { spawn } from 'node:child_process';
import { dirname, extname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import watcher from '@parcel/watcher';
import { builtFile, projectOf, selectTests, testSources } from './test-files.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const cwd = process.env.INIT_CWD ?? process.cwd();
const paths = process.argv.slice(2).filter((argument) => argument !== '--');
const ignored = ['**/node_modules/**', '**/dist/**', '.git/**', '**/.rhizome/**', '**/*.tsbuildinfo'];
const sourceFile = new Set(['.ts', '.tsx', '.graphql', '.json', '.yaml']);

/** The tests to run after `saved` files changed. */
function testsFor(saved) {
  const sources = testSources(root);
  if (paths.length > 0) return [...new Set(paths.flatMap((path) => selectTests(sources, path, root, cwd)))];
  return [...new Set(saved.flatMap((path) => selectTests(sources, path, root)))].filter(
    (source) => projectOf(source) === 'unit',
  );
}

/** Runs a Node program; resolves with whether it succeeded. */
function run(...args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('exit', (code) => done(code === 0));
  });
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
  const isBuilt = await run('node_modules/typescript-native/bin/tsc', '-b', '.');
  const isGreen =
    isBuilt &&
    (await run(
      '--experimental-vm-modules',
      '--no-warnings=ExperimentalWarning',
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
await watcher.subscribe(
  root,
  (error, events) => {
    if (error) throw error;
    const saved = events
      .filter(({ path, type }) => type !== 'delete' && sourceFile.has(extname(path)))
      .map(({ path }) => relative(root, path));
    if (saved.length > 0) void runTests(saved);
  },
  { ignore: ignored },
);
process.stdin.on('data', () => void runTests(paths));
console.log('test:watch: watching sources; Ctrl-C stops');
if (paths.length > 0) await runTests(paths);
