/** The lock file of a repository of its own: what it installs is what this repository has been tested with. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './steps.js';

const file = 'package-lock.json';

/** What npm keeps of a lock file, as far as it is read here. */
interface LockFile {
  readonly lockfileVersion: number;
  /** By the place it is installed in; the repository itself has the empty one. */
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly link?: boolean }>>;
}

/**
 * Writes the lock file of the repository in `folder`: npm begins from the versions that the checkout in `root` is locked to, adds what lies in
 * `vendor/` and leaves out what nobody needs. The newest versions are not looked for: they are tested by nobody, a registry may name one
 * that its mirrors do not serve yet, and a site without a way to the registry could not make a repository. Only what the checkout has no version
 * of is asked of the registry. @throws CliError
 */
export async function writeLock(root: string, folder: string): Promise<void> {
  if (existsSync(join(root, file))) {
    const locked = JSON.parse(readFileSync(join(root, file), 'utf8')) as LockFile;
    writeFileSync(join(folder, file), `${JSON.stringify(seedOf(locked), null, 2)}\n`);
  }
  const quiet = ['--no-audit', '--no-fund'];
  await runProgram('npm', ['install', '--package-lock-only', ...quiet], folder);
}

/** What comes from a registry and is shared by the workspaces; these themselves are links, and what lies in one of them is its own. */
function seedOf({ lockfileVersion, packages }: LockFile): object {
  const shared = Object.entries(packages).filter(
    ([place, { link }]) => place.startsWith('node_modules/') && link !== true,
  );
  return { lockfileVersion, requires: true, packages: Object.fromEntries(shared) };
}
