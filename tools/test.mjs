// Runs the tests: the system packages they need, the build, lint, then the jest projects from unit to end to
// end. Each part reports how long it took; the last line counts.
//
//   npm test                                            everything
//   npm test -- unit integration                        these parts (lint, unit, integration, e2e)
//   npm test -- clients/pilot/src/payload               the tests of a file or folder
//   npm test -- unit src/payload/usage-meter.test.ts    of one part; any piece of a source path will do
//   npm test -- e2e test/e2e/leader -- -t resumes       what follows the second `--` goes to jest
//
// `--list` prints the selected files and runs nothing. `--loaded` keeps every core busy meanwhile (`npm run
// test:loaded`): no test may depend on the speed of the machine. `npm run soak` runs the long tests
// (*.soak.ts), which `npm test` leaves out.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { builtFile, projectOf, selectTests, testSources } from './test-files.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const usualParts = ['lint', 'unit', 'integration', 'e2e'];
const allParts = [...usualParts, 'soak'];
const flags = ['--list', '--loaded'];
const separator = process.argv.indexOf('--', 2);
const before = process.argv.slice(2, separator < 0 ? undefined : separator);
const after = separator < 0 ? [] : process.argv.slice(separator + 1);
const namedParts = before.filter((argument) => allParts.includes(argument));
// Paths may also follow the separator: `npm test -- unit -- src/x.test.ts`.
const leadingPaths = after.findIndex((argument) => argument.startsWith('-'));
const paths = [
  ...before.filter((argument) => !allParts.includes(argument) && !flags.includes(argument)),
  ...after.slice(0, leadingPaths < 0 ? undefined : leadingPaths),
];
const jestArguments = leadingPaths < 0 ? [] : after.slice(leadingPaths);

/** The selected test sources; undefined for all. Exits when a path selects none. */
function selected() {
  if (paths.length === 0) return undefined;
  const sources = testSources(root);
  const found = new Set();
  for (const path of paths) {
    if (path.startsWith('-')) fail(`${path}: unknown option; options for jest follow a second "--"`);
    const matches = selectTests(sources, path, root, process.env.INIT_CWD ?? process.cwd()).filter(
      (source) => namedParts.length === 0 || namedParts.includes(projectOf(source)),
    );
    if (matches.length === 0) {
      const where = namedParts.length === 0 ? '' : ` in ${namedParts.join(', ')}`;
      fail(
        `no test matches "${path}"${where}; give a part (${allParts.join(', ')}) or a piece of a source path`,
      );
    }
    matches.forEach((source) => found.add(source));
  }
  return [...found].sort();
}

function fail(message) {
  console.error(`test: ${message}`);
  process.exit(2);
}

const selection = selected();
const parts = allParts.filter((part) => {
  if (selection === undefined)
    return namedParts.length === 0 ? usualParts.includes(part) : namedParts.includes(part);
  return namedParts.includes(part) || selection.some((source) => projectOf(source) === part);
});
if (before.includes('--list')) {
  const sources = selection ?? testSources(root).filter((source) => parts.includes(projectOf(source)));
  console.log(sources.join('\n'));
  process.exit(0);
}

/**
 * Debian packages that the tests need in addition to Node and Python, and how to see that each is installed.
 */
const systemPackages = [
  {
    name: 'chromium',
    present: () => ['/usr/bin/chromium', '/usr/bin/chromium-browser'].some(existsSync),
    parts: ['e2e', 'soak'],
  },
  { name: 'curl', present: () => existsSync('/usr/bin/curl'), parts: ['e2e', 'soak'] },
  {
    name: 'bubblewrap',
    present: () => existsSync('/usr/bin/bwrap'),
    parts: ['integration', 'e2e', 'soak'],
  },
  { name: 'podman', present: () => existsSync('/usr/bin/podman'), parts: ['integration', 'e2e', 'soak'] },
  {
    name: 'python3-venv',
    present: () => spawnSync('python3', ['-c', 'import ensurepip, venv']).status === 0,
    parts: ['integration', 'e2e', 'soak'],
  },
  { name: 'xrootd-server', present: () => existsSync('/usr/bin/xrootd'), parts: ['integration'] },
  {
    name: 'xrootd-server-plugins',
    present: () => isInLibraries('libXrdHttp-5.so'),
    parts: ['integration'],
  },
  { name: 'xrootd-client', present: () => existsSync('/usr/bin/xrdcp'), parts: ['integration'] },
  { name: 'slurm-wlm', present: () => existsSync('/usr/bin/sbatch'), parts: ['e2e', 'soak'] },
  { name: 'munge', present: () => existsSync('/usr/sbin/munged'), parts: ['e2e', 'soak'] },
  { name: 'openssl', present: () => existsSync('/usr/bin/openssl'), parts: ['integration'] },
  { name: 'libcurl4', present: () => sharedLibrary('libcurl.so.4'), parts: ['integration', 'e2e', 'soak'] },
];

/** True if a plug-in is in a folder of libraries; `ldconfig` does not list plug-ins. */
function isInLibraries(name) {
  const folders = ['/usr/lib64', ...readdirSync('/usr/lib').map((one) => join('/usr/lib', one))];
  return folders.some((folder) => existsSync(join(folder, name)));
}

function sharedLibrary(name) {
  const { stdout, status } = spawnSync('ldconfig', ['-p'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` },
  });
  return status !== 0 || stdout.includes(name);
}

/**
 * Installs missing packages where that is allowed (root on Debian); otherwise prints the exact command and
 * fails.
 */
function provideSystemPackages() {
  const missing = systemPackages
    .filter((p) => p.parts.some((part) => parts.includes(part)) && !p.present())
    .map((p) => p.name);
  if (missing.length === 0) return;
  const line = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    console.error(
      `test: missing system packages: ${missing.join(', ')}. Install them as root, on Debian with:\n  ${line}`,
    );
    process.exit(1);
  }
  console.log(`test: installing ${missing.join(', ')}`);
  const { status } = spawnSync('sh', ['-c', line], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) {
    console.error(`test: could not install ${missing.join(', ')}; try as root:\n  ${line}`);
    process.exit(1);
  }
}

/** True if a selected test runs a program from PyPI. */
const usesPythonPrograms = () => isSelected(/^test\/(security\/programs|storage|deploy)\//);

/** True if a selected test renders the chart. */
const usesHelm = () => isSelected(/^test\/deploy\//);

function isSelected(path) {
  const sources = selection ?? testSources(root);
  return sources.some((source) => path.test(source) && parts.includes(projectOf(source)));
}

/** Keeps every core busy until this process ends. */
function keepBusy() {
  const loops = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;) {}'], { stdio: 'ignore' }),
  );
  process.on('exit', () => loops.forEach((loop) => loop.kill('SIGKILL')));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  console.log(`test: ${loops.length} busy loops keep the processors occupied`);
}

if (before.includes('--loaded')) keepBusy();

const timings = [];
let passed = 0;
let failed = 0;
let skipped = 0;
/** Failed tests and checks, printed once more at the end: the log of a whole run is long. */
const failures = [];

/** Runs one part, prints how long it took. */
function part(name, run) {
  const started = performance.now();
  console.log(`\n── ${name} ──`);
  const ok = run();
  recordTime(name, started, ok);
  return ok;
}

function recordTime(name, started, ok) {
  timings.push({ name, seconds: (performance.now() - started) / 1000, ok });
}

/** Counts a part that passes or fails as a whole. */
function countCheck(name, ok) {
  if (ok) passed += 1;
  else fails(name);
}

function fails(what) {
  failed += 1;
  failures.push(what);
}

const lintChecks = [
  ['lint', 'node_modules/eslint/bin/eslint.js', '--quiet', '.'],
  ['format', 'node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  ['object literals', 'tools/lint/object-literals.mjs'],
  [
    'spelling',
    'node_modules/cspell/bin.mjs',
    'lint',
    ...['--no-progress', '--no-summary', '--cache', '--cache-location', '.cache/cspell'],
  ],
];

/** Runs checks at the same time, each on one core, and prints what each says when it ends. */
async function checksAtOnce(checks) {
  const waiting = [...checks];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, script, ...args] = next;
      const started = performance.now();
      const { ok, text } = await captured(script, args);
      console.log(`\n── ${name} ──\n${text.trimEnd()}`);
      recordTime(name, started, ok);
      countCheck(name, ok);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
}

/** Runs a script of Node; its output is returned when it ends. */
function captured(script, args) {
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ ok: false, text: String(error) }));
    child.on('close', (code) => resolve({ ok: code === 0, text }));
  });
}

function command(program, args, env = {}) {
  return (
    spawnSync(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status === 0
  );
}

/** A part that is one check: it passes or fails as a whole. */
function check(name, program, args) {
  const ok = part(name, () => command(program, args));
  countCheck(name, ok);
  return ok;
}

const cores = availableParallelism();
/** Memory of a test worker with the system that it starts, in bytes. */
const memoryOfWorker = 1.5 * 2 ** 30;
/**
 * Tests of systems wait for leases, events and processes for a good part of their time: one worker a core,
 * and one more, keep the cores busy. More do not end sooner: they wait for each other's processes.
 */
const workersOfSystems = Math.max(1, Math.min(cores + 1, Math.floor(usableMemory() / memoryOfWorker)));

/** Memory of the machine, or of the container in which the tests run; 0 stands for no limit. */
function usableMemory() {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}

/** Jest refuses a number of workers together with -i, and takes the first of two numbers. */
function workersFor(project) {
  if (jestArguments.some((argument) => /^(-i|-w|--runInBand|--maxWorkers)\b/.test(argument))) return [];
  return [`--maxWorkers=${project === 'unit' ? cores : workersOfSystems}`];
}

function jest(project) {
  const files = selection?.filter((source) => projectOf(source) === project).map(builtFile);
  if (files?.length === 0) return;
  const folder = mkdtempSync(join(tmpdir(), 'rhizome-test-'));
  const report = join(folder, 'report.json');
  const bin = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = [
    ...[bin, '--selectProjects', project, '--json', `--outputFile=${report}`],
    ...workersFor(project),
    '--testLocationInResults=false',
    ...jestArguments,
    ...(files === undefined ? [] : ['--runTestsByPath', ...files]),
  ];
  // Also for the workers: with more space for young objects, most are gone before they are copied.
  const ok = part(project, () => command(process.execPath, ['--max-semi-space-size=32', ...args]));
  if (existsSync(report)) {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    passed += result.numPassedTests;
    skipped += result.numPendingTests + result.numTodoTests;
    const failedBefore = failed;
    for (const file of result.testResults) countFailures(project, file);
    if (!ok && failed === failedBefore) fails(`${project}: what follows the tests, see above`);
  } else {
    fails(`${project}: jest wrote no report`);
  }
  rmSync(folder, { recursive: true, force: true });
}

/** Failed tests of one file, and the file itself if it could not be run. */
function countFailures(project, { name, status, message, assertionResults }) {
  const file = relative(root, name);
  const failedTests = assertionResults.filter((test) => test.status === 'failed');
  for (const { fullName, failureMessages } of failedTests)
    fails(`${project}: ${file}: ${fullName}\n    ${excerpt(failureMessages[0] ?? '')}`);
  if (status === 'failed' && failedTests.length === 0) fails(`${project}: ${file}\n    ${excerpt(message)}`);
}

/** The expected and the received value, on one line. */
function excerpt(text) {
  const lines = stripVTControlCharacters(text).split('\n');
  const said = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('at '));
  return said.slice(0, 6).join(' · ').slice(0, 400);
}

if (
  part('system packages', () => (provideSystemPackages(), true)) &&
  check('build', process.execPath, ['tools/build.mjs'])
) {
  await checksAtOnce([
    ...(parts.includes('lint') ? lintChecks : []),
    ...(usesHelm() ? [['helm', 'tools/helm.mjs']] : []),
    ...(usesPythonPrograms() ? [['python', 'tools/python.mjs']] : []),
    ...(parts.some((p) => p === 'integration' || p === 'e2e' || p === 'soak')
      ? [['mongod', 'lib/mongo/dist/fetch.js']]
      : []),
  ]);
  for (const project of ['unit', 'integration', 'e2e', 'soak']) if (parts.includes(project)) jest(project);
}

const shownFailures = 30;
if (failures.length > 0) console.log(`\n── failed ──\n${failures.slice(0, shownFailures).join('\n')}`);
if (failures.length > shownFailures) console.log(`and ${failures.length - shownFailures} more, see above`);
console.log('\n── times ──');
for (const { name, seconds, ok } of timings)
  console.log(`${name.padEnd(18)} ${seconds.toFixed(1).padStart(7)} s  ${ok ? 'ok' : 'FAILED'}`);
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
