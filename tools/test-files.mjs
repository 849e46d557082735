// Maps test sources to the built files that jest runs. A test's suffix is its price, and names the jest
// project it belongs to.
import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

/** Folders that hold packages; `test` is a package whose sources are not below `src`. */
export const packageRoots = [
  'lib',
  'schema',
  'subgraphs',
  'experiments',
  'gateway',
  'file-service',
  'clients',
  'deploy',
  'test',
];
const skipped = new Set(['node_modules', 'dist', 'dist-test', 'bundle', 'static', '.rhizome', '.cache']);

/** The jest project of a test source, or undefined for other files. */
export function projectOf(path) {
  if (/\.int\.test\.tsx?$/.test(path)) return 'integration';
  if (/\.test\.tsx?$/.test(path)) return 'unit';
  if (/\.soak\.ts$/.test(path)) return 'soak';
  return /\.e2e\.tsx?$/.test(path) ? 'e2e' : undefined;
}

/** All test sources of the repository, relative to its root, with `/`. */
export function testSources(root) {
  const found = [];
  const open = packageRoots.filter((folder) => existsSync(join(root, folder)));
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && !skipped.has(entry.name)) open.push(path);
      if (entry.isFile() && projectOf(path) !== undefined) found.push(path);
    }
  }
  return found.sort();
}

/** The built file of a test source. */
export function builtFile(source) {
  return sourceToBuilt(source).replace(/\.tsx?$/, '.js');
}

/**
 * Tests are projects of their own, so that `dist` holds only what is shipped: `tsconfig.test.json` next to
 * `tsconfig.json`, and `test/` in core, whose tests across domains it holds, too.
 */
function sourceToBuilt(source) {
  if (source.startsWith('test/')) return source.replace(/^test\//, 'test/dist/');
  if (source.startsWith('subgraphs/core/'))
    return source.replace(/^subgraphs\/core\//, 'subgraphs/core/test/dist/');
  return source.replace('/src/', '/dist-test/');
}

/**
 * The test sources that a path selects: a file, a folder, or any part of a path. A path to a source that is
 * no test (`src/x.ts`) selects the tests next to it (`src/x.test.ts`), one to a built file its source.
 * @param path relative to `cwd` or to the root
 */
export function selectTests(sources, path, root, cwd = root) {
  const fromRoot = relative(root, isAbsolute(path) ? path : join(cwd, path))
    .split(sep)
    .join('/');
  if (fromRoot === '') return sources;
  for (const candidate of [fromRoot, path.replace(/^\.\//, '')]) {
    const source = candidate
      .replace(/^subgraphs\/core\/test\/dist(?=\/|$)/, 'subgraphs/core')
      .replace(/^test\/dist(?=\/|$)/, 'test')
      .replace(/(^|\/)dist(-test)?(?=\/|$)/, '$1src')
      .replace(/\.jsx?$/, '.ts');
    const stem = /\.(int\.test|test|e2e|soak)\.tsx?$/.test(source) ? source : source.replace(/\.tsx?$/, '.');
    const exact = sources.filter((one) => one === source || one.startsWith(`${source.replace(/\/$/, '')}/`));
    if (exact.length > 0) return exact;
    const partial = sources.filter((one) => one.includes(stem));
    if (partial.length > 0) return partial;
  }
  return [];
}
