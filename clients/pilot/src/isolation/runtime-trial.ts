import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerHost } from '../payload/contained.js';
import { inContainer, type ContainerRuntime } from '../payload/container.js';
import { spawnWithFiles, type LaunchSpec } from '../payload/launch.js';
import { linksOfRoot } from './sandbox.js';
import { trialLimits, withTrialFolders } from './trial-folders.js';

/** Longest time for one trial: the first run of a runtime may set up its storage. */
const longestTrialMs = 60_000;

/**
 * Runs a program of this host by a container runtime, with the options of payloads. Returns the options with
 * which that works, or undefined if it does not.
 */
export async function tryRuntime(
  runtime: ContainerRuntime,
  host: ContainerHost,
  scratch: string,
): Promise<ContainerHost | undefined> {
  const variants = runtime === 'podman' ? [false, true] : [host.usesControlGroups];
  for (const usesControlGroups of variants) {
    const variant = { ...host, usesControlGroups };
    if (await isUsable(runtime, variant, scratch)) return variant;
  }
  return undefined;
}

async function isUsable(runtime: ContainerRuntime, host: ContainerHost, scratch: string): Promise<boolean> {
  const run = withTrialFolders(scratch, async ({ folder, folders }) => {
    const image = runtime === 'podman' ? await emptyImage(join(folder, 'image')) : '/';
    const environment = { PATH: '/usr/bin:/bin', HOME: folders.work };
    const spec = { command: '/usr/bin/true', arguments: [], environment, folder: folders.work };
    const contained = {
      image,
      spec,
      folders,
      limits: trialLimits,
      memoryMiB: 64,
      hasOwnPath: true,
      writable: [],
    };
    const launch = inContainer(runtime, { ...contained, hasNetwork: true, isFolder: true }, host);
    return succeeds(runtime === 'podman' ? withHostPrograms(launch) : launch);
  });
  return run.catch(() => false);
}

/** The files of an image without programs. */
async function emptyImage(root: string): Promise<string> {
  for (const name of ['usr', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'var/tmp'])
    await mkdir(join(root, name), { recursive: true });
  for (const { path, target } of await linksOfRoot()) await symlink(target, join(root, path));
  return root;
}

function withHostPrograms(launch: LaunchSpec): LaunchSpec {
  const [run = '', ...rest] = launch.arguments;
  return { ...launch, arguments: [run, '--volume', '/usr:/usr:ro', ...rest] };
}

async function succeeds(launch: LaunchSpec): Promise<boolean> {
  const child = await spawnWithFiles(launch, 'ignore', 'ignore');
  const timer = setTimeout(() => child.kill('SIGKILL'), longestTrialMs);
  const exitCode = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null)).once('exit', resolve);
  });
  clearTimeout(timer);
  return exitCode === 0;
}
