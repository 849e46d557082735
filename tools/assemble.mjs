// Puts built programs together in a folder that runs without this repository, for images and packed releases:
// their bundles, the modules that these start as threads or processes of their own, and packages with native
// code. Paths below the folder are those of the repository.
//
//   node tools/assemble.mjs --into DIR                  all services, `rhizome` and the pilot
//   node tools/assemble.mjs --into DIR clients/pilot    these packages
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { native } from './bundle.mjs';
import { workspacePackages } from './projects.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const packages = workspacePackages();

function fail(message) {
  console.error(`assemble: ${message}`);
  process.exit(2);
}

const { into, folders } = readArguments(process.argv.slice(2));

function readArguments([flag, folder, ...named]) {
  if (flag !== '--into' || folder === undefined) fail('usage: assemble.mjs --into DIR [PACKAGE…]');
  const target = resolve(folder);
  if (existsSync(target) && readdirSync(target).length > 0) fail(`${target}: must be empty`);
  const programs = [...packages].filter(([, { programs = [] }]) => programs.length > 0).map(([name]) => name);
  for (const name of named)
    if (!programs.includes(name)) fail(`${name}: has no program; expected one of ${programs.join(', ')}`);
  const usual = programs.filter((name) => !name.startsWith('deploy/'));
  return { into: target, folders: named.length > 0 ? named : usual };
}

/** Copies a file or a folder to the same place below `into`, without what only developers need. */
function copy(path) {
  if (!existsSync(join(root, path))) return;
  cpSync(join(root, path), join(into, path), {
    recursive: true,
    filter: (source) => !/\.(map|tsbuildinfo|d\.ts)$|\.inputs\.json$/.test(source),
  });
}

/** A package.json without scripts and dependencies: everything that the programs need is there already. */
function writeManifest(folder, manifest) {
  const { name, version, description, license, type, bin, exports } = manifest;
  mkdirSync(join(into, folder), { recursive: true });
  const text = JSON.stringify({ name, version, description, license, type, bin, exports }, undefined, 2);
  writeFileSync(join(into, folder, 'package.json'), `${text}\n`);
}

/** Files of a program's own package that it reads while it runs. */
const ownFiles = ['bin', 'bundle', 'dist/static', 'scaffold'];

/** An address that a bundle computes from that of a module of another package (tools/bundle.mjs). */
const foreignAddress =
  /new URL\(\s*"([^"]+)",\s*\(?new URL\("([^"]+)", import\.meta\.resolve\("(@rhizome\/[^"]+)"\)/g;
const foreignPackage = /import\.meta\.resolve\("(@rhizome\/[^"]+)"\)/g;

function addressesIn(folder) {
  const bundle = join(root, folder, 'bundle');
  if (!existsSync(bundle)) fail(`${folder}: is not built; run \`npm run build\``);
  const files = readdirSync(bundle, { recursive: true }).filter((file) => file.endsWith('.js'));
  return files.map((file) => readFileSync(join(bundle, file), 'utf8'));
}

const folderOf = new Map([...packages].map(([folder, { name }]) => [name, folder]));
const foreignFolder = (name) => join('node_modules', name);
/** Modules of other packages that run as threads or processes: source and target, relative to the root. */
const modules = new Map();

for (const folder of folders) {
  writeManifest(folder, packages.get(folder));
  for (const path of ownFiles) copy(join(folder, path));
  for (const text of addressesIn(folder)) {
    for (const [, name] of text.matchAll(foreignPackage))
      writeManifest(foreignFolder(name), packages.get(folderOf.get(name)));
    for (const [, address, module, name] of text.matchAll(foreignAddress)) {
      const path = join(dirname(join('dist', module)), address);
      const source = join(folderOf.get(name), path);
      if (!existsSync(join(root, source))) continue;
      if (path.endsWith('.js')) modules.set(source, join(foreignFolder(name), path));
      else cpSync(join(root, source), join(into, foreignFolder(name), path));
    }
  }
}

const { build } = await import('esbuild');
for (const [source, target] of modules)
  await build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile: join(into, target),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'warning',
    external: native,
  });

const isNativeUsed = [...modules.keys()].some((path) => path.startsWith('lib/federation'));
for (const name of isNativeUsed ? native : [])
  for (const folder of [name, ...binariesOf(name)]) copy(join('node_modules', folder));

/** Packages with the binaries of a native package for this platform. */
function binariesOf(name) {
  const require = createRequire(join(root, 'package.json'));
  const { optionalDependencies = {} } = require(`${name}/package.json`);
  return Object.keys(optionalDependencies).filter((one) => existsSync(join(root, 'node_modules', one)));
}

/** Packages that modules of ours load by name, when they first need them. */
const loadedByName = ['yaml'];
for (const name of loadedByName) copy(join('node_modules', name));

copy('LICENSE');
const withDashboard = folders.includes('gateway');
if (withDashboard) copy(join('clients', 'dashboard', 'dist', 'static'));
console.log(`assemble: ${folders.join(', ')} in ${relative(process.cwd(), into) || '.'}`);
