import { readdir, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Evidence, pciAddressOf, knownValue, type KnownFacts, type Vendor } from './detected-device.js';
import { readText } from './read-text.js';
import { kernelFacts, tilesIn } from './kernel-facts.js';
import { nodeOf, type DeviceNode } from './device-nodes.js';

/** A GPU on the PCI bus. */
export interface PciDevice {
  readonly vendor: Vendor;
  /** As `0000:07:00.0`. */
  readonly address: string;
  /** As `10de:20b2`. */
  readonly pciId: string;
  /** The kernel driver bound to it, as `nvidia`, `vfio-pci`; null if there is none. */
  readonly driver: string | null;
  /** The driver's version; undefined for a driver that is part of the kernel, and without one. */
  readonly driverVersion: string | undefined;
  /** True if the driver has initialised the device: programs can open it. */
  readonly isUp: boolean;
  /** Problem that its driver reports; undefined if there is none. */
  readonly fault: string | undefined;
  /**
   * Its number among the devices of its vendor that have a driver, including integrated and virtual ones, by
   * address.
   */
  readonly rank: number;
  /** Number of tiles, if known. */
  readonly tiles: number | undefined;
  readonly node: DeviceNode;
  /** Facts from the kernel's files. */
  readonly facts: KnownFacts;
}

/** The kernel's folder of PCI devices; also the name of this source. */
export const pciSource = '/sys/bus/pci/devices';
const vendors: Readonly<Record<string, Vendor>> = { '10de': 'NVIDIA', '1002': 'AMD', '8086': 'INTEL' };

/** Display controllers (VGA, 3D, other). */
const displays = /^0x(0300|0302|0380)/;
/** Processing accelerators: AMD's are GPUs, Intel's are FPGAs and the like. */
const accelerators = /^0x1200/;
/** Drivers that pass a device to a virtual machine. */
const takenAway = /vfio|^(pci-stub|xen-pciback)$/;
/**
 * Drivers of display adapters, for example on server management controllers, that are useless for computing.
 */
const displayOnly = /^radeon$/;

/** Address of Intel's integrated GPU. */
export const integratedIntel = /^0000:00:02\./;

/** Devices on the bus. */
export interface Bus {
  readonly devices: readonly PciDevice[];
  /** Addresses of devices that this process may not use: a container or batch job was not given them. */
  readonly others: ReadonlySet<string>;
}

/**
 * GPUs that the kernel sees, by their address; none without a PCI bus. Not included: integrated GPUs, virtual
 * functions next to their physical one, devices passed to a virtual machine, and devices of others.
 * @param systemRoot the root of the file system, for files of drivers
 */
export async function scanPci(root = pciSource, systemRoot = '/'): Promise<Bus> {
  const names = await readdir(root).catch(() => []);
  const all = await Promise.all(names.sort().map(async (name) => seeDevice(join(root, name), name)));
  const here = all
    .filter((device) => device !== undefined)
    .filter(({ driver }) => !takenAway.test(driver ?? ''));
  const seen = await Promise.all(
    here.map(async (device) => ({ ...device, node: await nodeOf(device, systemRoot) })),
  );
  const own = seen.filter(({ node }) => !isForOthers(node));
  const counted = own.filter(({ driver }) => driver !== null);
  const devices = own
    .filter(
      ({ isIntegrated, isVirtual, driver }) => !isIntegrated && !isVirtual && !displayOnly.test(driver ?? ''),
    )
    .map(async (device) => {
      const before = counted.filter(
        ({ vendor, address }) => vendor === device.vendor && address < device.address,
      );
      return describe(device, before.length, systemRoot);
    });
  const others = seen.filter(({ node }) => isForOthers(node)).map(({ address }) => address);
  return { devices: await Promise.all(devices), others: new Set(others) };
}

/** NVIDIA's driver may create the file of a device when it is first used. */
function isForOthers({ path, state }: DeviceNode): boolean {
  return state === 'FORBIDDEN' || (state === 'ABSENT' && !path.startsWith('/dev/nvidia'));
}

/** Properties that identify a GPU and its vendor. */
interface SeenDevice {
  readonly folder: string;
  readonly vendor: Vendor;
  readonly address: string;
  readonly pciId: string;
  readonly driver: string | null;
  readonly isVirtual: boolean;
  readonly isIntegrated: boolean;
}

async function seeDevice(folder: string, name: string): Promise<SeenDevice | undefined> {
  const address = pciAddressOf(name);
  const [kind, vendorId, deviceId] = await Promise.all(
    ['class', 'vendor', 'device'].map(async (file) => readText(join(folder, file))),
  );
  if (address === undefined) return undefined;
  const vendorDigits = vendorId?.replace(/^0x/, '') ?? '';
  const vendor = vendors[vendorDigits];
  if (vendor === undefined || deviceId === undefined) return undefined;
  if (!displays.test(kind ?? '') && !(vendor === 'AMD' && accelerators.test(kind ?? ''))) return undefined;
  const driver = await readlink(join(folder, 'driver')).then(basename, () => null);
  const isVirtual = await isThere(join(folder, 'physfn'));
  const pciId = `${vendorDigits}:${deviceId.replace(/^0x/, '')}`;
  const isIntegrated = await isPartOfProcessor(vendor, folder, address, kind);
  return { folder, vendor, address, pciId, driver, isVirtual, isIntegrated };
}

/**
 * Intel's integrated GPU always has the same address and no memory of its own; in a virtual machine other
 * devices may have that address. AMD's integrated GPU has the processor's security controller next to it.
 */
async function isPartOfProcessor(
  vendor: Vendor,
  folder: string,
  address: string,
  kind: string | undefined,
): Promise<boolean> {
  if (vendor === 'INTEL')
    return integratedIntel.test(address) && (await kernelFacts('INTEL', folder)).memoryMiB === undefined;
  if (vendor !== 'AMD' || !displays.test(kind ?? '')) return false;
  const slot = `${basename(folder).split('.')[0]}.`;
  const functions = (await readdir(dirname(folder)).catch(() => [])).filter((name) => name.startsWith(slot));
  const controllers = await Promise.all(
    functions.map(async (name) => {
      const path = join(dirname(folder), name);
      return [await readText(join(path, 'vendor')), await readText(join(path, 'class'))].join(' ');
    }),
  );
  return controllers.some((words) => /^0x1022 0x1080/.test(words));
}

async function describe(
  device: SeenDevice & { node: DeviceNode },
  rank: number,
  systemRoot: string,
): Promise<PciDevice> {
  const { folder, vendor, address, pciId, driver, node } = device;
  const [facts, nodes, driverVersion, fault, tiles] = await Promise.all([
    kernelFacts(vendor, folder),
    readdir(join(folder, 'drm')).catch(() => []),
    driver === null ? undefined : readText(join(systemRoot, 'sys/module', driver, 'version')),
    faultIn(folder),
    vendor === 'INTEL' ? tilesIn(folder) : undefined,
  ]);
  const isUp = driver !== null && nodes.some((name) => /^renderD\d+$/.test(name));
  return { vendor, address, pciId, driver, driverVersion, isUp, fault, rank, tiles, node, facts };
}

/** AMD's driver counts errors by block, as `ue: 0` for uncorrectable ones. */
async function faultIn(folder: string): Promise<string | undefined> {
  const names = (await readdir(join(folder, 'ras')).catch(() => [])).filter((name) =>
    name.endsWith('_err_count'),
  );
  const texts = await Promise.all(names.map(async (name) => readText(join(folder, 'ras', name))));
  const errors = texts.reduce((sum, text) => sum + Number(/^ue:\s*(\d+)/m.exec(text ?? '')?.[1] ?? 0), 0);
  return errors > 0 ? `${errors} uncorrectable memory errors` : undefined;
}

/** Facts that a single source has about the device. */
export function pciEvidence(device: PciDevice): Evidence {
  const { vendor, address, pciId, facts, driver, driverVersion } = device;
  const evidence = new Evidence(vendor)
    .add(pciSource, { pciAddress: address, pciId })
    .add(vendor === 'AMD' ? 'sysfs amdgpu' : 'sysfs', facts);
  if (driver === null) return evidence.unknown('no kernel driver is bound to the device', 'driverVersion');
  // A driver that is part of the kernel has no version of its own.
  return evidence.add(`/sys/module/${driver}/version`, { driverVersion: knownValue(driverVersion) });
}

/**
 * Adds the health of a device that no tool was asked about, as its driver reports it. A driver that has
 * initialised a device and reports no problem is trusted; without a driver the device cannot be used and its
 * health is unknown.
 * @param why reason why no tool was asked
 */
export function addHealth(evidence: Evidence, { driver, isUp, fault }: PciDevice, why: string): Evidence {
  if (fault !== undefined) return evidence.add(`sysfs ${driver ?? ''}: ${fault}`, { health: 'UNHEALTHY' });
  if (isUp && driver !== null)
    return evidence.add(`sysfs: ${driver} has initialised it`, { health: 'HEALTHY' });
  const state =
    driver === null ? 'no kernel driver is bound to the device' : `${driver} has not initialised it`;
  return evidence.unknown(`${state}; ${why}`, 'health');
}

/** The unique id of an AMD device, 16 hexadecimal digits; undefined if it has none. */
export async function amdUniqueId(address: string, root = pciSource): Promise<string | undefined> {
  return hexId(await readText(join(root, address, 'unique_id')));
}

/** 16 hexadecimal digits of a number such as `0x4edfb117a17a07d`; undefined if it is invalid or zero. */
export function hexId(text: string | null | undefined): string | undefined {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text?.trim() ?? '')?.[1];
  if (digits === undefined || /^0+$/.test(digits)) return undefined;
  return digits.toLowerCase().padStart(16, '0');
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
