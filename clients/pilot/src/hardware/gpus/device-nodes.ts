import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vendor } from './detected-device.js';
import { procSource, readProcGpu } from './nvidia/proc-driver.js';

/**
 * Whether this process may open a file of `/dev`:
 *
 * - `ABSENT`: the file does not exist, as in a container that was not given the device.
 * - `FORBIDDEN`: the control group forbids it, as in a batch job that was not given the device.
 * - `DENIED`: this user has no permission.
 * - `UNKNOWN`: it is not known which file it is.
 */
export type NodeState = 'OPEN' | 'ABSENT' | 'FORBIDDEN' | 'DENIED' | 'UNKNOWN';

/** The file by which programs open a device. */
export interface DeviceNode {
  /** As `/dev/dri/renderD128`. */
  readonly path: string;
  readonly state: NodeState;
}

const nowhere: DeviceNode = { path: '/dev', state: 'UNKNOWN' };

/** The file that ROCm programs open in addition. */
export const kfdNode = '/dev/kfd';

/**
 * The file of a device on the bus. `folder` is the kernel's folder of the device, `root` the root of the file
 * system.
 */
export async function nodeOf(
  device: {
    readonly vendor: Vendor;
    readonly address: string;
    readonly driver: string | null;
    readonly folder: string;
  },
  root: string,
): Promise<DeviceNode> {
  if (device.driver === null || !(await isThere(join(root, '/dev')))) return nowhere;
  if (device.driver === 'nvidia') return nvidiaNode(device.address, root);
  const names = await readdir(join(device.folder, 'drm')).catch(() => []);
  const render = names.find((name) => /^renderD\d+$/.test(name));
  return render === undefined ? nowhere : nodeAt(`/dev/dri/${render}`, root);
}

/** NVIDIA's driver has the number of the file, and does not show devices that a container was not given. */
async function nvidiaNode(address: string, root: string): Promise<DeviceNode> {
  const listed: readonly string[] = await readdir(join(root, procSource)).catch(() => []);
  if (listed.length === 0) return nowhere;
  if (!listed.includes(address)) return { path: `${procSource}/${address}`, state: 'ABSENT' };
  const minor = (await readProcGpu(root, address))?.minor;
  return minor === undefined ? nowhere : nodeAt(`/dev/nvidia${minor}`, root);
}

/** A file of `/dev`, and whether it can be opened. This checks the control group too, and opens nothing. */
export async function nodeAt(path: string, root: string): Promise<DeviceNode> {
  const state = await access(join(root, path), constants.R_OK | constants.W_OK).then(
    (): NodeState => 'OPEN',
    (error: unknown) => stateOf((error as NodeJS.ErrnoException).code),
  );
  return { path, state };
}

/** Reason why a file cannot be used. */
export function whyClosed({ path, state }: DeviceNode): string {
  return state === 'ABSENT' ? `${path} does not exist` : `this pilot may not open ${path}`;
}

/** The state that an error of `access` indicates. */
export function stateOf(code: string | undefined): NodeState {
  if (code === 'ENOENT') return 'ABSENT';
  if (code === 'EPERM') return 'FORBIDDEN';
  return code === 'EACCES' ? 'DENIED' : 'UNKNOWN';
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
