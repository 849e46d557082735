// `npm run dev`: the playground, with every service a process of its own. A saved source file is built; the
// services that contain it restart at their addresses, live streams resume, and a changed schema is composed,
// checked and swapped in. Arguments go to the playground (`npm run dev -- --port 4100`). Ctrl-C stops
// everything.
import { fork } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundlePrograms } from './bundle.mjs';
import { generateAll, packageFolders, subgraphOutputs } from './codegen.mjs';
import { shippedConfigs, workspacePackages } from './projects.mjs';
import { compile, root, runNode, watchSources } from './watching.mjs';

const isTest = /\.(test|e2e|soak|fixture)\.tsx?$|\/testing\//;

/** Folders of all packages that contain the code of one of `changed`. */
function affected(packages, changed) {
  const found = new Set(changed);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    const names = new Set([...found].map((folder) => packages.get(folder)?.name));
    for (const [folder, { dependencies = {} }] of packages)
      if (Object.keys(dependencies).some((name) => names.has(name))) found.add(folder);
  }
  return found;
}

/** The service that a package's program is, or undefined for a library. */
function serviceOf(folder) {
  const [group, name] = folder.split('/');
  if (group === 'gateway') return 'gateway';
  return group === 'subgraphs' || group === 'experiments' ? name : undefined;
}

const packages = workspacePackages();
const folderOf = (path) => [...packages.keys()].find((folder) => path.startsWith(`${folder}/`));

/** Writes the types of subgraphs whose SDL changed; all of them if the shared SDL did. */
async function generateTypes(saved) {
  const sdl = saved.filter((path) => path.endsWith('.graphql') && !path.startsWith('clients/'));
  if (sdl.length === 0) return [];
  const isShared = sdl.some((path) => path.startsWith('schema/'));
  const folders = packageFolders().filter(
    (folder) => isShared || sdl.some((path) => path.startsWith(`${folder}/`)),
  );
  const outputs = subgraphOutputs(folders);
  for (const { path, text } of await generateAll(outputs))
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  return outputs.map(({ folder }) => serviceOf(folder)).filter((name) => name !== undefined);
}

let playground;
let isReady = false;
let sequence = 0;
const pending = new Map();

/** Asks the playground for an update; resolves with its result. */
function request(update) {
  const id = (sequence += 1);
  playground.send({ id, ...update });
  return new Promise((done) => pending.set(id, done));
}

/** Makes the saved files live. */
async function update(saved, savedAt) {
  const folders = [...new Set(saved.map(folderOf).filter((folder) => folder !== undefined))];
  const schemas = await generateTypes(saved).catch((error) => {
    console.error(`dev: ${error.message}`);
    return undefined;
  });
  if (schemas === undefined || !(await compile(shippedConfigs()))) {
    console.error('dev: not built; what runs stays as it is');
    return;
  }
  const builtMs = performance.now() - savedAt;
  if (folders.includes('clients/dashboard')) await runNode('clients/dashboard/build.mjs');
  const touched = saved.every((path) => isTest.test(path)) ? new Set() : affected(packages, folders);
  const services = [...new Set([...touched].map(serviceOf).filter((name) => name !== undefined))];
  const pilots = touched.has('clients/pilot');
  const { errors, notes } = await request({ services, schemas, pilots });
  // Services and pilots run the modules of `dist`; what people start themselves is the bundle.
  const commandLine = touched.has('clients/cli');
  if (commandLine) await bundlePrograms(['clients/cli']);
  for (const note of notes) console.log(`dev:   ${note}`);
  for (const error of errors) console.error(`dev: ${error}`);
  const seconds = (ms) => (ms / 1000).toFixed(1);
  const parts = [...services, ...(pilots ? ['pilots'] : []), ...(commandLine ? ['command line'] : [])];
  const what = parts.join(', ') || 'nothing to restart';
  console.log(
    `dev: ${errors.length === 0 ? 'live' : 'FAILED'} ${seconds(performance.now() - savedAt)} s after the save ` +
      `(built in ${seconds(builtMs)} s; ${what})`,
  );
}

let saved = new Set();
let savedAt = 0;
let isUpdating = false;

async function updateAll() {
  if (isUpdating || !isReady) return;
  isUpdating = true;
  while (saved.size > 0) {
    const [files, at] = [[...saved], savedAt];
    saved = new Set();
    console.log(`dev: ${files.slice(0, 3).join(', ')}${files.length > 3 ? ', …' : ''} saved`);
    await update(files, at);
  }
  isUpdating = false;
}

if (!(await runNode('tools/build.mjs', '--quiet'))) process.exit(1);
const given = process.argv.slice(2);
playground = fork(
  join(root, 'deploy/playground/dist/dev/bin.js'),
  given.includes('--tour') ? given.filter((flag) => flag !== '--tour') : ['--no-tour', ...given],
  { cwd: root },
);
playground.on('message', (message) => {
  if (message.ready) {
    isReady = true;
    console.log('dev: watching sources; save a file to make it live');
    void updateAll();
    return;
  }
  pending.get(message.id)?.(message);
  pending.delete(message.id);
});
playground.once('exit', (code) => process.exit(code ?? 1));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => playground.kill('SIGTERM'));
await watchSources(
  ['.ts', '.tsx', '.graphql', '.yaml', '.css', '.html'],
  (paths) => {
    const files = paths.filter((path) => folderOf(path) !== undefined);
    if (files.length === 0) return;
    if (saved.size === 0) savedAt = performance.now();
    for (const file of files) saved.add(file);
    void updateAll();
  },
  ['**/*.generated.*'],
);
