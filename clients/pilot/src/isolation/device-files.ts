import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { kfdNode } from '../hardware/gpus/device-nodes.js';
import { readProcGpu } from '../hardware/gpus/nvidia/proc-driver.js';

/** Files that all programs on NVIDIA's driver open, whichever device they use. */
const nvidiaControl = ['nvidiactl', 'nvidia-uvm', 'nvidia-uvm-tools', 'nvidia-modeset', 'nvidia-caps'];

/**
 * The files of `/dev` by which a payload reaches its devices. Where it is not known which file belongs to a
 * device, all files of its kind are named: the vendor's variables still restrict the payload.
 */
export async function deviceFiles(
  devices: readonly Pick<DetectedDevice, 'vendor' | 'pciAddress'>[],
  root = '/',
): Promise<readonly string[]> {
  const nvidia = devices.filter(({ vendor }) => vendor === 'NVIDIA');
  const others = devices.filter(({ vendor }) => vendor !== 'NVIDIA');
  const found = await Promise.all([
    ...nvidia.map(async ({ pciAddress }) => nvidiaFiles(pciAddress, root)),
    ...others.map(async ({ pciAddress }) => renderFiles(pciAddress, root)),
  ]);
  return [
    ...new Set([
      ...(nvidia.length === 0 ? [] : nvidiaControl.map((name) => `/dev/${name}`)),
      ...(devices.some(({ vendor }) => vendor === 'AMD') ? [kfdNode] : []),
      ...found.flat(),
    ]),
  ];
}

async function nvidiaFiles(pciAddress: string | undefined, root: string): Promise<readonly string[]> {
  const minor = pciAddress === undefined ? undefined : (await readProcGpu(root, pciAddress))?.minor;
  if (minor !== undefined) return [`/dev/nvidia${minor}`];
  const names = await readdir(join(root, '/dev')).catch((): string[] => []);
  return names.filter((name) => /^nvidia\d+$/.test(name)).map((name) => `/dev/${name}`);
}

async function renderFiles(pciAddress: string | undefined, root: string): Promise<readonly string[]> {
  if (pciAddress === undefined) return ['/dev/dri'];
  const folder = join(root, '/sys/bus/pci/devices', pciAddress, 'drm');
  const names = await readdir(folder).catch((): string[] => []);
  const own = names.filter((name) => /^(renderD|card)\d+$/.test(name)).map((name) => `/dev/dri/${name}`);
  return own.length === 0 ? ['/dev/dri'] : own;
}
