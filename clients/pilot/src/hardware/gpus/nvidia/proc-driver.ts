import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { knownValue } from '../detected-device.js';
import { readText } from '../read-text.js';

/** Folder in which NVIDIA's kernel driver describes its devices. */
export const procSource = '/proc/driver/nvidia/gpus';

/** Facts from NVIDIA's kernel driver without any tool. */
export interface ProcGpu {
  readonly model: string | undefined;
  /** Undefined until the driver has initialised the device; before, it is shown as question marks. */
  readonly uuid: string | undefined;
  /** True if the administrator has excluded it from all programs. */
  readonly isExcluded: boolean;
  /** True if it has MIG instances. */
  readonly isDivided: boolean;
  /** The number of its file in `/dev`. */
  readonly minor: string | undefined;
}

/**
 * Reads `/proc/driver/nvidia/gpus/ADDRESS/information`; undefined if the driver does not have the device.
 * @param root the root of the file system
 */
export async function readProcGpu(root: string, address: string): Promise<ProcGpu | undefined> {
  const text = await readText(join(root, procSource, address, 'information'));
  if (text === undefined) return undefined;
  const fields = new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name.trim().toLowerCase(), value?.trim()] as const];
    }),
  );
  const uuid = fields.get('gpu uuid') ?? '';
  const minor = fields.get('device minor') ?? '';
  const hasMinor = /^\d+$/.test(minor);
  return {
    model: knownValue(fields.get('model')),
    uuid: /^GPU-[0-9a-f-]+$/i.test(uuid) ? uuid : undefined,
    isExcluded: /^yes$/i.test(fields.get('gpu excluded') ?? fields.get('blacklisted') ?? ''),
    isDivided: hasMinor && (await hasInstances(root, minor)),
    minor: hasMinor ? minor : undefined,
  };
}

/** Each instance has a folder of its capabilities. */
async function hasInstances(root: string, minor: string): Promise<boolean> {
  const folder = join(root, '/proc/driver/nvidia/capabilities', `gpu${minor}`, 'mig');
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => /^gi\d+$/.test(name));
}
