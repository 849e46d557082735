import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { importsOf, read, root, workspacePackages } from './repository.js';

/** Test files, fixtures and test support by their names, and what the compiler keeps for itself. */
const neverPacked = /\.(test|e2e|soak|fixture)\.|(^|\/)(testing|test|__tests__)\/|\.tsbuildinfo$/;
/** The same without the compiler's record, which belongs in `dist`. */
const isTest = /\.(test|e2e|soak|fixture)\.(js|d\.ts)$|(^|\/)(testing|__tests__)\/.*\.js$/;
/** A template that a new experiment's repository gets as its first test. */
const templates = /^scaffold\/.*\.template$/;
/** Packages that only tests use. */
const isForTests = (name: string): boolean =>
  name === 'jest' || /^(@jest\/|jest-)/.test(name) || name === '@rhizome/testkit';

interface Packed {
  readonly name: string;
  readonly files: readonly { readonly path: string }[];
}

/** All packages but those that are test support as a whole. */
const shipped = workspacePackages().filter(({ folder }) => folder !== 'test' && folder !== 'lib/testkit');

describe('npm pack', () => {
  let packed: ReadonlyMap<string, readonly string[]>;
  beforeAll(() => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--workspaces', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 1 << 26,
    });
    const packages = JSON.parse(output) as readonly Packed[];
    packed = new Map(packages.map(({ name, files }) => [name, files.map(({ path }) => path)]));
  });

  it.each(workspacePackages().map(({ name }) => name))('packs no tests of %s', (name) => {
    const files = packed.get(name) ?? [];
    expect(files.filter((path) => /^dist\/.*\.js$/.test(path)).length).toBeGreaterThan(0);
    expect(files.filter((path) => neverPacked.test(path) && !templates.test(path))).toEqual([]);
  });

  it.each(workspacePackages().filter(({ folder }) => folder !== 'test'))(
    'finds no tests in dist of $name',
    ({ folder }) => {
      const built = readdirSync(join(root, folder, 'dist'), { recursive: true, encoding: 'utf8' });
      expect(built).not.toEqual([]);
      expect(built.filter((path) => isTest.test(path))).toEqual([]);
    },
  );

  it.each(shipped.map(({ name, folder }) => [name, folder] as const))(
    'packs no module of %s that imports jest or the testkit',
    (name, folder) => {
      const modules = (packed.get(name) ?? []).filter(
        (path) => /\.(js|mjs)$/.test(path) && !path.includes('/static/'),
      );
      const wrong = modules.flatMap((path) =>
        importsOf(read(`${folder}/${path}`))
          .filter((one) =>
            isForTests(
              one
                .split('/')
                .slice(0, one.startsWith('@') ? 2 : 1)
                .join('/'),
            ),
          )
          .map((one) => `${path}: ${one}`),
      );
      expect(wrong).toEqual([]);
    },
  );
});

interface LockEntry {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly resolved?: string;
  readonly link?: boolean;
}

describe('dependencies at run time', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockEntry> };

  /** The entry of the lock file that a package at `from` loads as `name`. */
  function resolve(from: string, name: string): string | undefined {
    for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
      const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
      const entry = packages[path];
      if (entry) return entry.link ? entry.resolved : path;
      if (folder === '') return undefined;
    }
  }

  /** Chains of dependencies from a package to packages that only tests use. */
  function chainsToTests(folder: string): readonly string[] {
    const seen = new Set<string>([folder]);
    const queue: (readonly [string, string])[] = [[folder, folder]];
    const found: string[] = [];
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [path, chain] = next;
      const { dependencies, optionalDependencies } = packages[path] ?? {};
      for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
        if (isForTests(name)) found.push(`${chain} → ${name}`);
        const target = resolve(path, name);
        if (target === undefined || seen.has(target)) continue;
        seen.add(target);
        queue.push([target, `${chain} → ${name}`]);
      }
    }
    return found;
  }

  it.each(shipped.map(({ name, folder }) => [name, folder] as const))(
    'includes neither jest nor the testkit: %s',
    (_name, folder) => {
      expect(packages[folder]).toBeDefined();
      expect(chainsToTests(folder)).toEqual([]);
    },
  );
});
