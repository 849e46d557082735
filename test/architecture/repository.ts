/**
 * Reads the repository as the tests of its structure see it: tracked and new files, without what is ignored.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** Paths of all files that belong to the repository, relative to its root, with `/`. */
export function repositoryFiles(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
}

/** A file's text. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The names of the folders under `experiments/`. */
export function experimentNames(): readonly string[] {
  return readdirSync(join(root, 'experiments'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** One package of the workspace. */
export interface WorkspacePackage {
  readonly folder: string;
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** All packages of the workspace. */
export function workspacePackages(): readonly WorkspacePackage[] {
  const { references } = JSON.parse(read('tsconfig.json')) as { references: readonly { path: string }[] };
  // A project without a manifest is the tests of the package around it.
  const packages = references.filter(({ path }) => existsSync(join(root, path, 'package.json')));
  return packages.map(({ path }) => {
    const manifest = JSON.parse(read(`${path}/package.json`)) as Partial<WorkspacePackage> & { name: string };
    return {
      folder: path,
      name: manifest.name,
      dependencies: manifest.dependencies ?? {},
      devDependencies: manifest.devDependencies ?? {},
    };
  });
}

/** The module specifiers that a TypeScript source imports, dynamic imports included. */
export function importsOf(source: string): readonly string[] {
  const pattern = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)'([^'\n]+)'/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** The module specifiers of {@link importsOf} without those of `import type` and `export type`. */
export function valueImportsOf(source: string): readonly string[] {
  return importsOf(source.replace(/^(?:import|export) type\b[^;]*;/gm, ''));
}
