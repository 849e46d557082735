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

/** How a pilot looks for devices. */
export interface DeviceOptions {
  /** Where the vendors' tools are looked for. */
  readonly searchPath: string;
  /** A file with devices to present instead of those that are there. */
  readonly simulate?: string | undefined;
  /** What this pilot may see: the variables of its own environment. */
  readonly visible?: VisibilityLists | undefined;
  /** Variables that tools get besides their own; what `toolEnvironment` takes. */
  readonly toolEnvironment?: Readonly<Record<string, string>> | undefined;
  /** Time for one call of a tool; 15 s by default. */
  readonly timeoutMs?: number | undefined;
  /** Where the kernel shows the PCI bus; tests hand in a folder of their own. */
  readonly pciRoot?: string | undefined;
  /** The root of the file system, for what drivers tell of themselves; tests hand in a folder of their own. */
  readonly systemRoot?: string | undefined;
}

const toolTimeoutMs = 15_000;

/**
 * The devices of this host that this pilot may give to payloads, with a source for each fact. Tools that fail or hang do not make it
 * fail: their devices are reported as the bus shows them.
 * @throws DomainError CONFIG_INVALID when the file of a simulated fleet cannot be read
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
  // Some tools list what the kernel shows, and that is the same in every container and batch job of a host.
  const own = distinct(found.flat()).filter(({ pciAddress }) => !bus.others.has(pciAddress ?? ''));
  return offeredDevices(await openable(own, bus, systemRoot), visible ?? {});
}

/** A device whose file cannot be opened here is no use to a payload, however well it is. */
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

/** One device for each id: two with the same would be given out as one. */
function distinct(devices: readonly DetectedDevice[]): readonly DetectedDevice[] {
  return [...new Map(devices.map((device) => [device.id, device])).values()];
}
