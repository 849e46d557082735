/**
 * A new experiment as a standalone repository: the template's sources, the packages it needs as tarballs,
 * tests, an image and CI.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { discoverSubgraphs } from '@rhizome/schema/repository';
import { CliError, exitCodes } from '../exit-codes.js';
import { copyTemplate } from './copy.js';
import { writeLock } from './lock.js';
import type { ExperimentNames } from './names.js';
import { filesOf, freePort, type Repository } from './repository.js';
import { runProgram, type Step } from './steps.js';

const scaffold = fileURLToPath(new URL('../../scaffold/', import.meta.url));

/** The part of a package.json that is read here. */
interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/**
 * The steps that create a standalone repository in `folder`.
 * @throws CliError if the folder is not empty
 */
export function stepsStandalone(
  repository: Repository,
  names: ExperimentNames,
  folder: string,
): readonly Step[] {
  const { root, template } = repository;
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CliError(exitCodes.usage, `${folder} is not empty; must be an empty or new folder`);
  const packages = neededPackages(root, join(root, 'experiments', template.name));
  return [
    {
      title: 'build the packages it needs',
      run: () => build(root, packages),
    },
    {
      title: `copy experiments/${template.name}`,
      run: () => void copyTemplate(repository, names, folder, freePort(repository)),
      // The folder was empty or missing.
      undo: () => rmSync(folder, { recursive: true, force: true }),
    },
    { title: 'add the files of a repository', run: () => addFiles(repository, names, folder, packages) },
    { title: 'generate its types', run: () => generateTypes(root, folder) },
    { title: `pack ${packages.length} packages into vendor/`, run: () => pack(packages, folder) },
    {
      title: 'write package-lock.json',
      run: () => writeLock(root, folder),
    },
  ];
}

/** A package of this repository that the experiment needs. */
interface NeededPackage extends PackageJson {
  readonly folder: string;
}

/** The packages of this repository that a package and its tests need, directly and indirectly. */
function neededPackages(root: string, folder: string): readonly NeededPackage[] {
  const known = new Map(
    ['lib', 'schema']
      .flatMap((group) =>
        group === 'schema'
          ? [join(root, group)]
          : readdirSync(join(root, group)).map((name) => join(root, group, name)),
      )
      .filter((path) => existsSync(join(path, 'package.json')))
      .map((path) => [readPackage(path).name, { ...readPackage(path), folder: path }] as const),
  );
  const found = new Map<string, NeededPackage>();
  const add = (names: readonly string[]): void => {
    for (const name of names) {
      const one = known.get(name);
      if (!one || found.has(name)) continue;
      found.set(name, one);
      add(Object.keys(one.dependencies ?? {}));
    }
  };
  const own = readPackage(folder);
  add([...Object.keys({ ...own.dependencies, ...own.devDependencies }), '@rhizome/schema']);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readPackage(folder: string): PackageJson {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson;
}

function tarballOf({ name, version }: PackageJson): string {
  return `vendor/${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
}

/** Compiles only these packages and their references. */
async function build(root: string, packages: readonly NeededPackage[]): Promise<void> {
  const compiler = join(root, 'node_modules/typescript-native/bin/tsc');
  await runProgram(process.execPath, [compiler, '-b', ...packages.map(({ folder }) => folder)], root);
}

/**
 * Runs the new repository's generator with the packages of this checkout, because its own are not installed
 * yet.
 */
async function generateTypes(root: string, folder: string): Promise<void> {
  const link = join(folder, 'node_modules');
  symlinkSync(join(root, 'node_modules'), link);
  try {
    await runProgram(process.execPath, ['tools/generate.mjs'], folder);
  } finally {
    rmSync(link);
  }
}

async function pack(packages: readonly NeededPackage[], folder: string): Promise<void> {
  const vendor = join(folder, 'vendor');
  mkdirSync(vendor, { recursive: true });
  const folders = packages.map((one) => one.folder);
  await runProgram('npm', ['pack', '--silent', '--pack-destination', vendor, ...folders], folder);
}

function addFiles(
  { root, template }: Repository,
  names: ExperimentNames,
  folder: string,
  packages: readonly NeededPackage[],
): void {
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const { endpoint } = readEndpoint(folder);
  for (const path of filesOf(scaffold)) {
    // git, npm and editors would act on names with a leading dot here already.
    const target = path
      .slice(scaffold.length)
      .replace(/\.template$/, '')
      .replace(/(^|\/)dot-/g, '$1.');
    const words = { name: names.name, Name: names.prefix, NAME: names.upper, port: new URL(endpoint).port };
    write(
      target,
      readFileSync(path, 'utf8').replace(
        /__(name|Name|NAME|port)__/g,
        (_, key: keyof typeof words) => words[key],
      ),
    );
  }
  const core = discoverSubgraphs(root).find(({ manifest }) => !manifest);
  write('schema/core.graphql', core?.sdl ?? '');
  write('tools/codegen.mjs', readFileSync(join(root, 'tools/codegen.mjs'), 'utf8'));
  write(
    'package.json',
    packageJson(root, readPackage(join(root, 'experiments', template.name)), names, packages),
  );
}

function readEndpoint(folder: string): { readonly endpoint: string } {
  const [, endpoint] = /^endpoint: (\S+)$/m.exec(readFileSync(join(folder, 'experiment.yaml'), 'utf8')) ?? [];
  return { endpoint: endpoint ?? 'http://127.0.0.1:4100/graphql' };
}

const tools = [
  '@eddeee888/gcg-typescript-resolver-files',
  '@graphql-codegen/add',
  '@graphql-codegen/cli',
  '@jest/globals',
  '@parcel/watcher',
  '@types/jest',
  '@types/node',
  'jest',
  'typescript',
];

function packageJson(
  root: string,
  template: PackageJson,
  { name, prefix }: ExperimentNames,
  packages: readonly NeededPackage[],
): string {
  const { devDependencies: ours = {} } = readPackage(root);
  const test = new Set(Object.keys(template.devDependencies ?? {}));
  const vendored = packages.map((one) => [one.name, `file:${tarballOf(one)}`] as const);
  const others = Object.entries(template.dependencies ?? {}).filter(([one]) => !one.startsWith('@rhizome/'));
  const sorted = (entries: readonly (readonly [string, string])[]): Record<string, string> =>
    Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  const isTool = (one: string): boolean =>
    one === '@rhizome/testkit' || one === '@rhizome/schema' || test.has(one);
  const content = {
    name: `rhizome-${name}`,
    version: '0.1.0',
    private: true,
    description: `${prefix}, an experiment of Rhizome.`,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts: {
      build: 'tsc -p tsconfig.json',
      generate: 'node tools/generate.mjs',
      test: 'npm run build && tsc -p tsconfig.test.json && node --experimental-vm-modules node_modules/jest/bin/jest.js',
      start: 'node dist/bin.js',
    },
    dependencies: sorted([...vendored.filter(([one]) => !isTool(one)), ...others]),
    devDependencies: sorted([
      ...vendored.filter(([one]) => isTool(one)),
      ...tools.map((one) => [one, ours[one] ?? '*'] as const),
    ]),
    // The packages in vendor/ refer to each other by version; these are the versions.
    overrides: Object.fromEntries(vendored.map(([one]) => [one, `$${one}`])),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}
