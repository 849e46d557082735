// The TypeScript projects of the repository, as the root tsconfig.json lists them.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Configuration files of all projects, as absolute paths. */
export function projectConfigs() {
  const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  return references.map(({ path }) =>
    path.endsWith('.json') ? join(root, path) : join(root, path, 'tsconfig.json'),
  );
}

/** Configuration files of the projects whose output runs or is shipped: all but those of tests. */
export function shippedConfigs() {
  return projectConfigs().filter((path) => !/[/\\]test[/\\]tsconfig\.json$|tsconfig\.test\.json$/.test(path));
}

/** Packages of the workspace by folder, relative to the root: their package.json. */
export function workspacePackages() {
  const groups = ['lib', 'subgraphs', 'experiments', 'clients', 'deploy'];
  const folders = groups.flatMap((group) =>
    existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => `${group}/${name}`) : [],
  );
  const packages = new Map();
  for (const folder of [...folders, 'gateway', 'file-service', 'schema']) {
    const file = join(root, folder, 'package.json');
    if (existsSync(file)) packages.set(folder, JSON.parse(readFileSync(file, 'utf8')));
  }
  return packages;
}
