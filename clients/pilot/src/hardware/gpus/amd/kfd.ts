import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readText } from '../read-text.js';

/** Folder in which AMD's compute driver shows its devices. */
export const kfdSource = '/sys/class/kfd/kfd/topology/nodes';
const amdVendorId = 4098;

/** A device of AMD's compute driver, on which ROCm runs. */
export interface KfdGpu {
  /** Its number in ROCm, if no device is hidden. */
  readonly index: number;
  /** As `0000:83:00.0`. */
  readonly address: string;
  /** As `gfx90a`. */
  readonly gfxTarget: string;
}

/**
 * Reads the topology, in the order in which ROCm numbers devices; empty without the driver.
 * @param root the root of the file system
 */
export async function readKfd(root: string): Promise<readonly KfdGpu[]> {
  const folder = join(root, kfdSource);
  const names = await readdir(folder).catch(() => []);
  const nodes = names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b));
  const texts = await Promise.all(nodes.map(async (name) => readText(join(folder, name, 'properties'))));
  return texts
    .map((text) => propertiesIn(text ?? ''))
    .filter((node) => node('vendor_id') === amdVendorId && node('gfx_target_version') > 0)
    .map((node, index) => ({
      index,
      address: addressOf(node('domain'), node('location_id')),
      gfxTarget: targetOf(node('gfx_target_version')),
    }));
}

/** Lines are `name number`. */
function propertiesIn(text: string): (name: string) => number {
  const values = new Map(text.split('\n').map((line) => line.split(' ') as [string, string]));
  return (name) => Number(values.get(name) ?? 0);
}

/** Bus, device and function in one number. */
function addressOf(domain: number, location: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex((location >> 8) & 0xff, 2)}:${hex((location >> 3) & 0x1f, 2)}.${location & 7}`;
}

/**
 * `90010` is gfx90a: minor version and step have two decimal digits each, and one hexadecimal digit each in
 * the name.
 */
function targetOf(version: number): string {
  const [major, minor, step] = [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100];
  return `gfx${major}${minor.toString(16)}${step.toString(16)}`;
}
