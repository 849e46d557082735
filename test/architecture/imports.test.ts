import { describe, expect, it } from '@jest/globals';
import { builtinModules } from 'node:module';
import {
  experimentNames,
  importsOf,
  read,
  repositoryFiles,
  workspacePackages,
  type WorkspacePackage,
} from './repository.js';

const packages = workspacePackages();
const experiments = experimentNames().map((name) => `@rhizome/${name}`);
const libraries = packages.filter(({ folder }) => folder.startsWith('lib/')).map(({ name }) => name);
const clients = [
  '@rhizome/client',
  '@rhizome/clock',
  '@rhizome/config',
  '@rhizome/errors',
  '@rhizome/log',
  '@rhizome/retry',
  '@rhizome/storage',
];

/**
 * Packages that each kind of package may depend on, in addition to test helpers. Source: the table in the
 * architecture page.
 */
function allowed({ folder, name }: WorkspacePackage): readonly string[] {
  if (folder.startsWith('lib/')) return libraries;
  if (folder === 'schema') return ['@rhizome/errors'];
  if (folder.startsWith('subgraphs/') || folder === 'file-service') return libraries;
  if (folder.startsWith('experiments/')) return libraries;
  if (folder === 'gateway') return [...libraries, '@rhizome/schema'];
  // The command line tests and makes experiments: see the decision on its developers' commands.
  if (folder === 'clients/cli')
    return [
      ...clients,
      '@rhizome/audit',
      '@rhizome/schema',
      '@rhizome/conformance',
      '@rhizome/deployment',
      '@rhizome/workflow-import',
    ];
  if (folder.startsWith('clients/')) return clients;
  return packages.map((other) => other.name).filter((other) => other !== name && other !== '@rhizome/test');
}

const sources = repositoryFiles().filter((path) => /\.tsx?$/.test(path));
/** Tests, and what only tests are built on. */
const isTest = (path: string) =>
  /\.(test|e2e|fixture)\.ts$/.test(path) || path.includes('/src/testing/') || /(^|\/)test\//.test(path);
const owner = (path: string) => packages.find(({ folder }) => path.startsWith(`${folder}/`));
const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

describe('imports between packages', () => {
  it.each(packages.map((p) => [p.name, p] as const))(
    'has only the dependencies that the architecture allows: %s',
    (_name, workspacePackage) => {
      const inside = Object.keys(workspacePackage.dependencies).filter((name) =>
        name.startsWith('@rhizome/'),
      );
      expect(inside.filter((name) => !allowed(workspacePackage).includes(name))).toEqual([]);
    },
  );

  it('keeps core and experiments, and experiments among each other, apart', () => {
    for (const workspacePackage of packages) {
      const all = Object.keys({ ...workspacePackage.dependencies, ...workspacePackage.devDependencies });
      if (workspacePackage.folder.startsWith('subgraphs/'))
        expect(all.filter((name) => experiments.includes(name))).toEqual([]);
      if (workspacePackage.folder.startsWith('experiments/')) {
        expect(all.filter((name) => name === '@rhizome/core' || experiments.includes(name))).toEqual([]);
      }
    }
  });

  it('requires a declaration in the package that imports', () => {
    const builtin = new Set(builtinModules);
    const undeclared = sources.flatMap((path) => {
      const home = owner(path);
      if (!home) return [];
      const declared = new Set([
        home.name,
        // The types of a package that ships none are declared as `@types/NAME`.
        ...Object.keys({ ...home.dependencies, ...home.devDependencies }).map((name) =>
          name.replace(/^@types\//, ''),
        ),
        ...(isTest(path) ? ['@jest/globals'] : []),
      ]);
      return importsOf(read(path))
        .filter(
          (specifier) =>
            !specifier.startsWith('.') && !specifier.startsWith('node:') && !builtin.has(specifier),
        )
        .map(packageOf)
        .filter((name) => !declared.has(name))
        .map((name) => `${path}: ${name} is not in ${home.folder}/package.json`);
    });
    expect(undeclared).toEqual([]);
  });

  it('uses every declared dependency', () => {
    const loadedByName = new Set(experiments);
    const idle = packages
      .filter(({ folder }) => folder !== 'test')
      .flatMap(({ folder, dependencies, devDependencies }) => {
        const own = repositoryFiles().filter(
          (path) => path.startsWith(`${folder}/`) && /\.(tsx?|mjs|js|css)$/.test(path),
        );
        const text = own.map(read).join('\n');
        return Object.keys({ ...dependencies, ...devDependencies })
          .filter((name) => !name.startsWith('@types/') && !loadedByName.has(name))
          .filter((name) => !text.includes(`'${name}`) && !text.includes(`"${name}`))
          .map((name) => `${folder}/package.json: ${name}`);
      });
    expect(idle).toEqual([]);
  });

  it('does not use development dependencies in code that ships', () => {
    const wrong = sources
      .filter((path) => !isTest(path))
      .flatMap((path) => {
        const home = owner(path);
        if (!home) return [];
        return importsOf(read(path))
          .map(packageOf)
          .filter(
            (name) =>
              name in home.devDependencies && !(name in home.dependencies) && !name.startsWith('@types/'),
          )
          .map((name) => `${path}: ${name}`);
      });
    expect(wrong).toEqual([]);
  });

  it('never reaches into another package by a relative path', () => {
    const reaching = sources.flatMap((path) => {
      const home = owner(path);
      const depth = home ? path.slice(home.folder.length + 1).split('/').length - 1 : 99;
      return importsOf(read(path))
        .filter((specifier) => (specifier.match(/^(\.\.\/)+/)?.[0].length ?? 0) / 3 > depth)
        .map((specifier) => `${path}: ${specifier}`);
    });
    expect(reaching).toEqual([]);
  });

  it('uses mongodb only in lib/mongo, lib/deployment, repositories, documents and composition', () => {
    const places =
      /(^lib\/(deployment|mongo|testkit)\/)|\.(repository|document)\.ts$|\/(app|bin)\.ts$|\/migrations\//;
    const wrong = sources.filter(
      (path) =>
        !isTest(path) && !places.test(path) && importsOf(read(path)).some((s) => packageOf(s) === 'mongodb'),
    );
    expect(wrong).toEqual([]);
  });

  it('only lib/federation knows the plan format', () => {
    const planner = '@graphql-hive/router-query-planner';
    const wrong = sources.filter(
      (path) => !path.startsWith('lib/federation/') && importsOf(read(path)).includes(planner),
    );
    expect(wrong).toEqual([]);
  });

  it('contains no package of Hive at run time except the planner', () => {
    const hive = packages
      .flatMap(({ dependencies }) => Object.keys(dependencies))
      .filter((name) => /^@graphql-(hive|mesh|tools)\//.test(name));
    expect([...new Set(hive)]).toEqual(['@graphql-hive/router-query-planner']);
  });
});
