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

/** Files that modules of the bundle start, by the module: relative to `bundle/`. */
function startedFiles(folder: string): readonly string[] {
  const starts = /new URL\("(\.[^"]+\.js)", \(?new URL\("(\.[^"]+)", import\.meta\.url\)/g;
  return readdirSync(join(root, folder, 'bundle'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .flatMap((path) => [...read(join(folder, 'bundle', path)).matchAll(starts)])
    .map(([, file = '', module = '']) => join(dirname(module), file));
}

it('bundles every service, client program and the playground', () => {
  expect(bundled).toEqual(
    expect.arrayContaining([
      'clients/cli',
      'clients/pilot',
      'deploy/playground',
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

  it('contains the files that its modules start', () => {
    const missing = startedFiles(folder).filter((file) => !existsSync(join(root, folder, 'bundle', file)));
    expect(missing).toEqual([]);
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
