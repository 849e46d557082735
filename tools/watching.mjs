// Shared by `npm run dev` and `npm run test:watch`: programs of the build, and saved source files.
import { spawn } from 'node:child_process';
import { dirname, extname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import watcher from '@parcel/watcher';

/** Path of the repository. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Outputs, data and caches, which change without a save. */
const ignored = [
  '**/node_modules/**',
  '**/dist/**',
  '**/dist-test/**',
  '**/bundle{,.new,.old}/**',
  '.git/**',
  '**/.rhizome/**',
  '**/*.tsbuildinfo',
];

/** Runs a Node program in the repository; resolves with whether it succeeded. */
export function runNode(...args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('exit', (code) => done(code === 0));
  });
}

/**
 * Compiles what changed; resolves with whether it succeeded.
 * @param projects configuration files or folders of the projects; all by default
 */
export const compile = (projects = ['.']) =>
  runNode('node_modules/typescript-native/bin/tsc', '-b', ...projects);

/**
 * Calls `onSave` with the paths of saved files, relative to the repository.
 * @param extensions extensions of the files that count, such as `.ts`
 * @param ignore further patterns of files that do not count
 */
export async function watchSources(extensions, onSave, ignore = []) {
  const counted = new Set(extensions);
  await watcher.subscribe(
    root,
    (error, events) => {
      if (error) throw error;
      const saved = events
        .filter(({ path, type }) => type !== 'delete' && counted.has(extname(path)))
        .map(({ path }) => relative(root, path));
      if (saved.length > 0) onSave(saved);
    },
    { ignore: [...ignored, ...ignore] },
  );
}
