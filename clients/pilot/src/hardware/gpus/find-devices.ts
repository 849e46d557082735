import { join } from 'node:path';
import { findAmd } from './amd/amd.js';
import { asUnusable, type DetectedDevice } from './detected-device.js';
import { findIntel } from './intel/intel.js';
import { findNvidia } from './nvidia/nvidia.js';
import { kfdNode, nodeAt, whyClosed } from './device-nodes.js';
import { pciSource, scanPci, type Bus, type PciDevice } from './pci-bus.js';
import { readFleetFile } from './simulated-devices.js';
import { toolRunner } from './tool-runner.js';
import { offeredDevices, type VisibilityLists } from './offered-devices.js';

/** Options of the detection. */
export interface DeviceOptions {
  /** Search path for the vendors' tools. */
  readonly searchPath: string;
  /** A file with simulated devices that replace the real ones. */
  readonly simulate?: string | undefined;
  /** Devices that this pilot may see, from its own environment. */
  readonly visible?: VisibilityLists | undefined;
  /** Additional variables for tools; see `toolEnvironment`. */
  readonly toolEnvironment?: Readonly<Record<string, string>> | undefined;
  /** Time limit for one call of a tool; 15 s by default. */
  readonly timeoutMs?: number | undefined;
  /** The kernel's folder of the PCI bus; tests pass a folder of their own. */
  readonly pciRoot?: string | undefined;
  /** The root of the file system, for files of drivers; tests pass a folder of their own. */
  readonly systemRoot?: string | undefined;
}

const toolTimeoutMs = 15_000;

/**
 * The devices of this host that this pilot may give to payloads, with a source for each fact. If tools fail
 * or hang, their devices are reported as the bus shows them.
 * @throws DomainError CONFIG_INVALID if the file of a simulated fleet cannot be read
 */
export async function findDevices(options: DeviceOptions): Promise<readonly DetectedDevice[]> {
  const { searchPath, simulate, visible, timeoutMs = toolTimeoutMs } = options;
  const { pciRoot = pciSource, systemRoot = '/' } = options;
  if (simulate !== undefined) return readFleetFile(simulate);
  const run = toolRunner({ searchPath, timeoutMs, environment: options.toolEnvironment });
  const bus = await scanPci(pciRoot, systemRoot);
  const of = (vendor: string): readonly PciDevice[] =>
    bus.devices.filter((device) => device.vendor === vendor);
  const found = await Promise.all([
    findNvidia(run, of('NVIDIA'), systemRoot),
    findAmd(run, of('AMD'), {
      pciRoot,
      releaseFile: join(systemRoot, 'opt/rocm/.info/version'),
      systemRoot,
    }),
    findIntel(run, of('INTEL')),
  ]);
  // Some tools list the kernel's devices, which are the same in every container and batch job of a host.
  const own = distinct(found.flat()).filter(({ pciAddress }) => !bus.others.has(pciAddress ?? ''));
  return offeredDevices(await openable(own, bus, systemRoot), visible ?? {});
}

/** Devices marked as unhealthy if their file cannot be opened here: a payload could not use them. */
async function openable(
  devices: readonly DetectedDevice[],
  bus: Bus,
  systemRoot: string,
): Promise<readonly DetectedDevice[]> {
  const kfd = await nodeAt(kfdNode, systemRoot);
  return devices.map((device) => {
    const known = bus.devices.find(({ address }) => address === device.pciAddress)?.node;
    if (known === undefined || known.state === 'UNKNOWN') return device;
    const closed = [known, ...(device.vendor === 'AMD' ? [kfd] : [])].find(({ state }) => state !== 'OPEN');
    return closed === undefined ? device : asUnusable(device, whyClosed(closed));
  });
}

/** One device for each id: two with the same id would be given out as one. */
function distinct(devices: readonly DetectedDevice[]): readonly DetectedDevice[] {
  return [...new Map(devices.map((device) => [device.id, device])).values()];
}
