/** For tests: a host with tools that print recorded output, as real programs, and with the kernel's files. */
import { afterEach, beforeEach } from '@jest/globals';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { findDevices, type DeviceOptions } from '../hardware/gpus/find-devices.js';
import { mixed } from './gpu-samples/nvidia.js';

/** Result for arguments that begin like this. */
export interface Answer {
  readonly to: string;
  readonly says: string;
  readonly exitCode?: number;
  /** It never answers. */
  readonly hangs?: boolean;
}

/** Properties of a device on the bus besides its ids. */
export interface BusDevice {
  readonly kind?: string;
  readonly driver?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly isVirtual?: boolean;
}

let folder = '';

/** The host; a new one for each test of the file. */
export class GpuHost {
  constructor() {
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gpus-'));
      await mkdir(join(folder, 'bin'));
      await mkdir(join(folder, 'pci'));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));
  }

  /** A path in the host's folder. */
  path(name: string): string {
    return join(folder, name);
  }

  /** The devices that a pilot finds there. */
  async find(options: Partial<DeviceOptions> = {}): Promise<readonly DetectedDevice[]> {
    return findDevices({
      searchPath: join(folder, 'bin'),
      pciRoot: join(folder, 'pci'),
      systemRoot: join(folder, 'root'),
      timeoutMs: 10_000,
      ...options,
    });
  }

  /** A shell script that answers by the beginning of its arguments, and fails for others. */
  async tool(name: string, answers: readonly Answer[]): Promise<void> {
    const cases = await Promise.all(
      answers.map(async ({ to, says, exitCode = 0, hangs = false }, index) => {
        const file = join(folder, `${name}.${index}`);
        await writeFile(file, says);
        const end = hangs ? 'exec sleep 600' : `exit ${exitCode}`;
        return `  '${to}'*) cat '${file}'; ${end};;`;
      }),
    );
    const path = join(folder, 'bin', name);
    await writeFile(path, `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\nesac\nexit 3\n`);
    await chmod(path, 0o755);
  }

  /** `nvidia-smi` of a host with a divided A100 and a T4; `other` is its result for other arguments. */
  async nvidiaSmi(
    otherwise: Partial<Record<'query' | 'xml' | 'list' | 'topology', Partial<Answer>>> = {},
  ): Promise<void> {
    await this.tool('nvidia-smi', [
      { to: '--query-gpu=', says: mixed.query, ...otherwise.query },
      { to: '-q -x', says: mixed.xml, ...otherwise.xml },
      { to: '-L', says: mixed.list, ...otherwise.list },
      { to: 'topo -m', says: '', ...otherwise.topology },
    ]);
  }

  /** A device on the bus. */
  async onBus(address: string, vendor: string, device: string, more: BusDevice = {}): Promise<void> {
    const { kind = '0x030200', driver, files = {}, isVirtual = false } = more;
    const place = join(folder, 'pci', address);
    await mkdir(place);
    await writeAll(place, { class: kind, vendor: `0x${vendor}`, device: `0x${device}`, ...files });
    if (driver !== undefined) await symlink(`../../bus/pci/drivers/${driver}`, join(place, 'driver'));
    if (isVirtual) await symlink(place, join(place, 'physfn'));
  }

  /** Files of the kernel outside the PCI bus, by their path. */
  async kernel(files: Readonly<Record<string, string>>): Promise<void> {
    await writeAll(join(folder, 'root'), files);
  }
}

async function writeAll(place: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(place, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `${text}\n`);
  }
}

/** Source of a fact of the device. */
export function sourceOf(device: DetectedDevice | undefined, fact: string): string | undefined {
  return device?.sources.find((one) => one.fact === fact)?.source;
}
