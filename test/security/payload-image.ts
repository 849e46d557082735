/** An image for the real Podman, made from programs of this host: no registry is asked. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Name of the image. */
export const payloadImage = 'localhost/rhizome-payload:1';

const programs = [
  ...['sh', 'bash', 'cat', 'env', 'ls', 'grep', 'id', 'sleep', 'setsid', 'wc', 'rm', 'mkdir'],
  ...['unshare', 'mount', 'perl'],
];
/**
 * Where both versions of control groups are mounted, Podman runs in a mount namespace with version 2 alone.
 */
const unifiedFolder = '/sys/fs/cgroup/unified';

/** Gives Podman storage of its own in a folder, with the image. Returns the folder of the program. */
export async function podmanWithImage(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  const storage = `--root '${folder}/root' --runroot '${folder}/run' --storage-driver vfs`;
  const mount = `mount --bind ${unifiedFolder} /sys/fs/cgroup`;
  const start = existsSync(unifiedFolder)
    ? `exec unshare --mount sh -c '${mount}; exec /usr/bin/podman "$@"' podman`
    : 'exec /usr/bin/podman';
  await writeFile(join(bin, 'podman'), `#!/bin/sh\n${start} ${storage} "$@"\n`);
  await chmod(join(bin, 'podman'), 0o755);
  const archive = join(folder, 'image.tar');
  execFileSync('tar', ['-C', await imageFolder(join(folder, 'image')), '-cf', archive, '.']);
  execFileSync(join(bin, 'podman'), ['import', '--quiet', archive, payloadImage], { stdio: 'ignore' });
  return bin;
}

async function imageFolder(root: string): Promise<string> {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'var/tmp', 'run'])
    await mkdir(join(root, name), { recursive: true });
  for (const name of programs) {
    const file = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    await copyFile(file, join(root, 'bin', name));
    for (const library of execFileSync('ldd', [file], { encoding: 'utf8' }).match(/\/\S+/g) ?? []) {
      await mkdir(dirname(join(root, library)), { recursive: true });
      await copyFile(library, join(root, library));
    }
  }
  return root;
}
