/** For tests: Debian's Podman with storage and an image of its own. */
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** An image with the programs below, made from the host's files: no registry is asked. */
export const testImage = 'localhost/rhizome-test:1';

const programs = [
  'sh',
  'cat',
  'env',
  'ls',
  'id',
  'sleep',
  'ln',
  'mkdir',
  'rm',
  'mv',
  'setsid',
  'sort',
  'pwd',
];

/** A Podman that a test uses. */
export interface TestPodman {
  /** Folder with the program, for a search path. */
  readonly bin: string;
  /** The command line, environment and working folder of the latest run. */
  readonly recorded: { readonly environment: string; readonly arguments: string; readonly folder: string };
}

/**
 * Prepares Podman in a folder. The program on the search path is a script that records how it was called and
 * becomes the real Podman.
 */
export async function testPodman(folder: string): Promise<TestPodman> {
  const bin = join(folder, 'podman-bin');
  const recorded = {
    environment: join(folder, 'podman-environment'),
    arguments: join(folder, 'podman-arguments'),
    folder: join(folder, 'podman-folder'),
  };
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'podman'), script(folder, recorded));
  await chmod(join(bin, 'podman'), 0o755);
  const root = await imageFolder(join(folder, 'podman-image'));
  const archive = join(folder, 'podman-image.tar');
  execFileSync('tar', ['-C', root, '-cf', archive, '.']);
  execFileSync(join(bin, 'podman'), ['import', '--quiet', archive, testImage], { stdio: 'ignore' });
  return { bin, recorded };
}

/**
 * Where both versions of control groups are mounted, crun does not start. There, Podman runs in a mount
 * namespace that has version 2 alone.
 */
const unifiedFolder = '/sys/fs/cgroup/unified';

function script(folder: string, recorded: TestPodman['recorded']): string {
  const storage = `--root '${folder}/podman-root' --runroot '${folder}/podman-run' --storage-driver vfs`;
  const mount = `mount --bind ${unifiedFolder} /sys/fs/cgroup`;
  const start = existsSync(unifiedFolder)
    ? `exec unshare --mount sh -c '${mount}; exec /usr/bin/podman "$@"' podman`
    : 'exec /usr/bin/podman';
  return `#!/bin/sh
if [ "$1" = run ]; then
  cat /proc/$$/environ > '${recorded.environment}'
  cat /proc/$$/cmdline > '${recorded.arguments}'
  pwd > '${recorded.folder}'
fi
${start} ${storage} "$@"
`;
}

async function imageFolder(root: string): Promise<string> {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'var/tmp', 'run'])
    await mkdir(join(root, name), { recursive: true });
  for (const name of programs) {
    const path = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    const file = path.startsWith('/') ? path : `/bin/${name}`;
    await copyFile(file, join(root, 'bin', name));
    const libraries = execFileSync('ldd', [file], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
    for (const library of libraries) {
      await mkdir(dirname(join(root, library)), { recursive: true });
      await copyFile(library, join(root, library));
    }
  }
  return root;
}
