/** Lock file of a standalone repository: it installs the versions that this repository is tested with. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from './steps.js';

const file = 'package-lock.json';

/** The part of npm's lock file that is read here. */
interface LockFile {
  readonly lockfileVersion: number;
  /** By installation path; the repository itself has the empty path. */
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly link?: boolean }>>;
}

/**
 * Writes the lock file of the repository in `folder`. npm starts from the versions that the checkout in
 * `root` is locked to, adds the packages in `vendor/` and leaves out unneeded ones. It does not take newer
 * versions: they are untested here, mirrors may not have them yet, and a site without access to the registry
 * could not create a repository. Only packages that the checkout does not have are fetched.
 * @throws CliError
 */
export async function writeLock(root: string, folder: string): Promise<void> {
  if (existsSync(join(root, file))) {
    const locked = JSON.parse(readFileSync(join(root, file), 'utf8')) as LockFile;
    writeFileSync(join(folder, file), `${JSON.stringify(seedOf(locked), null, 2)}\n`);
  }
  const noReports = ['--no-audit', '--no-fund'];
  await runProgram('npm', ['install', '--package-lock-only', ...noReports], folder);
}

/**
 * Packages from a registry that the workspaces share; the workspaces themselves are links. A package inside
 * a library's folder (a version that differs from the root's) moves to the folder of the library's tarball.
 */
function seedOf({ lockfileVersion, packages }: LockFile): object {
  const seed: Record<string, unknown> = {};
  for (const [place, entry] of Object.entries(packages)) {
    const [, library, inner] = /^(?:lib\/)?([\w-]+)\/(node_modules\/.+)$/.exec(place) ?? [];
    if (place.startsWith('node_modules/') && entry.link !== true) seed[place] = entry;
    else if (library !== undefined && inner !== undefined && /^(lib\/|schema\/)/.test(place))
      seed[`node_modules/@rhizome/${library}/${inner}`] = entry;
  }
  return { lockfileVersion, requires: true, packages: seed };
}
