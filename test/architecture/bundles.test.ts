import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { read, root, workspacePackages } from './repository.js';

interface Inputs {
  /** Times of the last change, by path. */
  readonly inputs: Readonly<Record<string, number>>;
}

const bundled = workspacePackages()
  .map(({ folder }) => folder)
  .filter((folder) => 'programs' in (JSON.parse(read(join(folder, 'package.json'))) as object));
const inputsOf = (folder: string): readonly string[] =>
  Object.keys((JSON.parse(read(join(folder, 'bundle', '.inputs.json'))) as Inputs).inputs);

/** Texts of the modules of the bundle of a package, by their paths below `bundle/`. */
function modulesOf(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(join(root, folder, 'bundle'), { recursive: true, encoding: 'utf8' });
  return new Map(
    paths.filter((path) => path.endsWith('.js')).map((path) => [path, read(join(folder, 'bundle', path))]),
  );
}

/** Files that modules of the bundle start, by the module: relative to `bundle/`. */
function startedFiles(folder: string): readonly string[] {
  const starts = /new URL\("(\.[^"]+\.js)", \(?new URL\("(\.[^"]+)", bundleAddress\)/g;
  return [...modulesOf(folder).values()]
    .flatMap((text) => [...text.matchAll(starts)])
    .map(([, file = '', module = '']) => join(dirname(module), file));
}

it('bundles every service, client program and the playground', () => {
  expect(bundled).toEqual(
    expect.arrayContaining([
      'clients/cli',
      'clients/executor',
      'clients/pilot',
      'deploy/playground',
      'file-service',
      'gateway',
      'subgraphs/core',
    ]),
  );
});

describe.each(bundled)('the bundle of %s', (folder) => {
  it('has the modules of graphql once', () => {
    const copies = inputsOf(folder).filter((path) => /node_modules\/graphql\/index\.m?js$/.test(path));
    expect(copies.length).toBeLessThanOrEqual(1);
  });

  // A module may become a part of a file in any folder.
  it('has no address that is relative to the file of a module', () => {
    const wrong = [...modulesOf(folder)].filter(([, text]) =>
      /new URL\("\.{1,2}\/[^"]*", import\.meta\.url\)/.test(text),
    );
    expect(wrong.map(([path]) => path)).toEqual([]);
  });

  it('contains the files that its modules start', () => {
    const missing = startedFiles(folder).filter((file) => !existsSync(join(root, folder, 'bundle', file)));
    expect(missing).toEqual([]);
  });

  // A bundle gives them a default export only, unlike Node.js.
  it('takes no named exports of CommonJS modules that are imported when they are needed', () => {
    const modules = modulesOf(folder);
    const imported = [...modules.values()].flatMap((text) => [
      ...text.matchAll(/\{[^{}]+\} = await import\("\.\/([^"]+)"\)/g),
    ]);
    const wrong = imported.filter(([, path = '']) =>
      /^export default require_/m.test(modules.get(path) ?? ''),
    );
    expect(wrong.map(([found]) => found)).toEqual([]);
  });

  it('names the licence of each npm package', () => {
    const names = inputsOf(folder).map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
    const text = read(join(folder, 'bundle', 'LICENCES.txt'));
    const packages = [...new Set(names)].filter((name) => name !== undefined);
    expect(packages.filter((name) => !text.includes(`${name} `))).toEqual([]);
  });
});

it('finds the files that a pilot starts', () => {
  expect(startedFiles('clients/pilot')).toEqual(
    expect.arrayContaining(['supervisor/supervisor-main.js', 'watchdog/watchdog-main.js']),
  );
});
