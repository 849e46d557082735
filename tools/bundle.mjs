// Bundles the programs: each package with a `programs` list in its package.json gets `bundle/`, in which the
// program, the packages of this repository and its npm packages are a few files, so that it starts in a
// fraction of the processor time (docs/decisions/0054-programs-start-from-bundles.md). Modules that start
// another file (a worker thread, a child process) or read one find it where it lies without the bundle:
// `bundle/` has the depth of `dist/`.
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workspacePackages } from './projects.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const inputsFile = '.inputs.json';

/**
 * Folders of the packages that have programs, with the modules to bundle by their path in `bundle/`: the
 * programs, and the packages that they load by name while they run.
 */
function packagesWithPrograms(packages) {
  return [...packages].flatMap(([folder, { programs = [], loadsPackagesOf = [] }]) => {
    if (programs.length === 0) return [];
    const own = programs.map((path) => ({ in: join(folder, 'dist', path), out: path.replace(/\.js$/, '') }));
    const loaded = [...packages].flatMap(([other, { name }]) =>
      loadsPackagesOf.includes(dirname(other))
        ? [{ in: join(other, 'dist', 'index.js'), out: join('packages', name) }]
        : [],
    );
    return [{ folder: join(root, folder), entries: [...own, ...loaded] }];
  });
}

/**
 * Bundles the programs whose inputs changed.
 * @param folders packages; all by default
 * @returns the names of the folders that were written
 */
export async function bundlePrograms(folders) {
  const packages = workspacePackages();
  const stale = packagesWithPrograms(packages).filter(
    (entry) => (folders?.includes(relative(root, entry.folder)) ?? true) && !isFresh(entry),
  );
  if (stale.length === 0) return [];
  const { build } = await import('esbuild');
  const owners = new Map([...packages].map(([folder, { name }]) => [join(root, folder), name]));
  for (const entry of stale) await bundle(build, entry, owners);
  return stale.map(({ folder }) => relative(root, folder));
}

function isFresh({ folder, entries }) {
  const record = join(folder, 'bundle', inputsFile);
  if (!existsSync(record)) return false;
  const made = JSON.parse(readFileSync(record, 'utf8'));
  if (made.entries !== JSON.stringify(entries)) return false;
  return Object.entries(made.inputs).every(
    ([path, modified]) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs === modified,
  );
}

async function bundle(build, { folder, entries }, owners) {
  // Programs may start meanwhile: the new bundle takes the place of the old one when it is complete.
  const [out, draft, old] = ['bundle', 'bundle.new', 'bundle.old'].map((name) => join(folder, name));
  rmSync(draft, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: draft,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    splitting: true,
    chunkNames: '[name]-[hash]',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    external: [...optional, ...native],
    banner: { js: banner },
    plugins: [ownAddresses(folder, owners)],
  });
  const paths = Object.keys(metafile.inputs).filter((path) => existsSync(join(root, path)));
  const self = relative(root, fileURLToPath(import.meta.url));
  const inputs = Object.fromEntries(
    [...paths, self].map((path) => [path, statSync(join(root, path)).mtimeMs]),
  );
  writeFileSync(join(draft, 'LICENCES.txt'), licences(paths));
  writeFileSync(join(draft, inputsFile), JSON.stringify({ entries: JSON.stringify(entries), inputs }));
  rmSync(old, { recursive: true, force: true });
  if (existsSync(out)) renameSync(out, old);
  renameSync(draft, out);
  rmSync(old, { recursive: true, force: true });
}

/**
 * At the top of each file of a bundle: `require`, by which CommonJS modules ask for those of Node.js, and the
 * address of the bundle, from any folder in it.
 */
const banner = [
  "import { createRequire as requireOf } from 'node:module';",
  'const require = requireOf(import.meta.url);',
  "const bundleAddress = import.meta.url.slice(0, import.meta.url.lastIndexOf('/bundle/') + 8);",
].join(' ');

/** Licences of the npm packages that a bundle contains: each asks to be named with its text. */
function licences(paths) {
  const folders = new Set(paths.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]));
  folders.delete(undefined);
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const files = readdirSync(join(root, folder)).filter((file) => /^(license|licence|notice)/i.test(file));
    const text = files.map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
    return [`${name} ${version} (${license})`, ...text].join('\n\n');
  });
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/** Packages that others look for and do without. */
const optional = [
  ...['@mongodb-js/zstd', 'kerberos', 'snappy', 'mongodb-client-encryption', '@aws-sdk/credential-providers'],
  ...['gcp-metadata', 'socks', 'aws4', 'bufferutil', 'utf-8-validate'],
];

/** Packages with a native part, which stays where npm put it. */
export const native = ['@graphql-hive/router-query-planner'];

/**
 * Gives modules that use `import.meta.url` the address that they would have outside of the bundle: those of
 * the package itself below `bundle/` instead of `dist/`, those of other packages where Node.js finds the
 * package.
 */
function ownAddresses(folder, owners) {
  return {
    name: 'own-addresses',
    setup({ onLoad }) {
      onLoad({ filter: /[/\\]dist[/\\].*\.js$/ }, ({ path }) => {
        const owner = [...owners.keys()].find((candidate) => path.startsWith(join(candidate, 'dist') + sep));
        if (owner === undefined) return undefined;
        const text = readFileSync(path, 'utf8');
        if (!text.includes('import.meta.url')) return undefined;
        const file = relative(join(owner, 'dist'), path).split(sep).join('/');
        const address =
          owner === folder
            ? `new URL(${JSON.stringify(`./${file}`)}, bundleAddress).href`
            : `new URL(${JSON.stringify(`./${file}`)}, import.meta.resolve(${JSON.stringify(owners.get(owner))})).href`;
        return { contents: text.replaceAll('import.meta.url', `(${address})`), loader: 'js' };
      });
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now();
  const written = await bundlePrograms();
  console.log(
    `bundle: ${written.join(', ') || 'nothing to do'} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
}
