import { readdir, readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  Evidence,
  numberIn,
  partOf,
  pciAddressOf,
  wordIn,
  type KnownFacts,
  type Vendor,
} from './device-facts.js';
import { textOf } from './files.js';

/** A GPU on the PCI bus. */
export interface PciDevice {
  readonly vendor: Vendor;
  /** As `0000:07:00.0`. */
  readonly address: string;
  /** As `10de:20b2`. */
  readonly pciId: string;
  /** The kernel driver that holds it, as `nvidia`, `vfio-pci`; null when none does. */
  readonly driver: string | null;
  /** What that driver calls its version; undefined for one that is a part of the kernel, and where there is none. */
  readonly driverVersion: string | undefined;
  /** Whether the driver has brought the device up: programs can open it. */
  readonly isUp: boolean;
  /** What its driver says is wrong with it; undefined when it says nothing. */
  readonly fault: string | undefined;
  /** Its number among the devices of its vendor that have a driver, integrated and virtual ones too, by address. */
  readonly rank: number;
  /** What the kernel's own files say about it. */
  readonly facts: KnownFacts;
}

/** What the kernel shows, and where; for sources. */
export const pciSource = '/sys/bus/pci/devices';
const vendors: Readonly<Record<string, Vendor>> = { '10de': 'NVIDIA', '1002': 'AMD', '8086': 'INTEL' };

/** Display controllers (VGA, 3D, other) and processing accelerators. */
const gpuClasses = /^0x(0300|0302|0380|1200)/;
/** Drivers that take a device away from this host, for a virtual machine. */
const takenAway = /^(vfio-pci|pci-stub|xen-pciback)$/;

/**
 * GPUs that the kernel sees, by their address; empty where there is no PCI bus. Left out are Intel's integrated ones (on bus 0), virtual
 * functions beside their physical one, and what was handed to a virtual machine.
 * @param systemRoot the root of the file system, for what is told of drivers
 */
export async function scanPci(root = pciSource, systemRoot = '/'): Promise<readonly PciDevice[]> {
  const names = await readdir(root).catch(() => []);
  const seen = await Promise.all(names.sort().map(async (name) => seeDevice(join(root, name), name)));
  const all = seen
    .filter((device) => device !== undefined)
    .filter(({ driver }) => !takenAway.test(driver ?? ''));
  const own = all.filter(
    ({ vendor, address, isVirtual }) => !(vendor === 'INTEL' && address.startsWith('0000:00:')) && !isVirtual,
  );
  return Promise.all(
    own.map(async (device) => {
      const before = all.filter(
        ({ vendor, driver, address }) =>
          vendor === device.vendor && driver !== null && address < device.address,
      );
      return describe(device, before.length, systemRoot);
    }),
  );
}

/** What tells that a device is a GPU, and whose. */
interface SeenDevice {
  readonly folder: string;
  readonly vendor: Vendor;
  readonly address: string;
  readonly pciId: string;
  readonly driver: string | null;
  readonly isVirtual: boolean;
}

async function seeDevice(folder: string, name: string): Promise<SeenDevice | undefined> {
  const address = pciAddressOf(name);
  const [kind, vendorId, deviceId] = await Promise.all(
    ['class', 'vendor', 'device'].map(async (file) => textOf(join(folder, file))),
  );
  if (address === undefined || !gpuClasses.test(kind ?? '')) return undefined;
  const vendorDigits = vendorId?.replace(/^0x/, '') ?? '';
  const vendor = vendors[vendorDigits];
  if (vendor === undefined || deviceId === undefined) return undefined;
  const driver = await readlink(join(folder, 'driver')).then(basename, () => null);
  const isVirtual = await isThere(join(folder, 'physfn'));
  const pciId = `${vendorDigits}:${deviceId.replace(/^0x/, '')}`;
  return { folder, vendor, address, pciId, driver, isVirtual };
}

async function describe(device: SeenDevice, rank: number, systemRoot: string): Promise<PciDevice> {
  const { folder, vendor, address, pciId, driver } = device;
  const [facts, nodes, driverVersion, fault] = await Promise.all([
    kernelFacts(vendor, folder),
    readdir(join(folder, 'drm')).catch(() => []),
    driver === null ? undefined : textOf(join(systemRoot, 'sys/module', driver, 'version')),
    faultIn(folder),
  ]);
  const isUp = driver !== null && nodes.some((name) => /^renderD\d+$/.test(name));
  return { vendor, address, pciId, driver, driverVersion, isUp, fault, rank, facts };
}

/** AMD's driver counts errors by block, as `ue: 0` for those that could not be corrected. */
async function faultIn(folder: string): Promise<string | undefined> {
  const names = (await readdir(join(folder, 'ras')).catch(() => [])).filter((name) =>
    name.endsWith('_err_count'),
  );
  const texts = await Promise.all(names.map(async (name) => textOf(join(folder, 'ras', name))));
  const errors = texts.reduce((sum, text) => sum + Number(/^ue:\s*(\d+)/m.exec(text ?? '')?.[1] ?? 0), 0);
  return errors > 0 ? `${errors} uncorrectable memory errors` : undefined;
}

/** A source's word for the device alone. */
export function pciEvidence(device: PciDevice): Evidence {
  const { vendor, address, pciId, facts, driver, driverVersion } = device;
  const evidence = new Evidence(vendor)
    .tell(pciSource, { pciAddress: address, pciId })
    .tell(vendor === 'AMD' ? 'sysfs amdgpu' : 'sysfs', facts);
  if (driver === null) return evidence.cannotTell('no kernel driver has the device', 'driverVersion');
  // A driver that is a part of the kernel has no version of its own.
  return evidence.tell(`/sys/module/${driver}/version`, { driverVersion: wordIn(driverVersion) });
}

/**
 * The health of a device that no tool was asked about: as its driver sees it. A driver that has brought a device up and has nothing against
 * it is taken at its word; without a driver nobody can use the device, and its health is unknown.
 * @param why no tool was asked
 */
export function tellHealth(evidence: Evidence, { driver, isUp, fault }: PciDevice, why: string): Evidence {
  if (fault !== undefined) return evidence.tell(`sysfs ${driver ?? ''}: ${fault}`, { health: 'UNHEALTHY' });
  if (isUp && driver !== null)
    return evidence.tell(`sysfs: ${driver} has brought it up`, { health: 'HEALTHY' });
  const state = driver === null ? 'no kernel driver has the device' : `${driver} has not brought it up`;
  return evidence.cannotTell(`${state}; ${why}`, 'health');
}

/** The drivers of AMD and Intel publish some facts as files; NVIDIA's does not. */
async function kernelFacts(vendor: Vendor, folder: string): Promise<KnownFacts> {
  if (vendor === 'NVIDIA') return {};
  const facts = vendor === 'AMD' ? await amdFacts(folder) : await intelFacts(folder);
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

type LooseFacts = { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };

async function amdFacts(folder: string): Promise<LooseFacts> {
  const read = async (file: string): Promise<string | undefined> => wordIn(await textOf(join(folder, file)));
  const [total, used, busy, compute, memory, model] = await Promise.all(
    [
      'mem_info_vram_total',
      'mem_info_vram_used',
      'gpu_busy_percent',
      'current_compute_partition',
      'current_memory_partition',
      'product_name',
    ].map(read),
  );
  return {
    model,
    memoryMiB: mibOf(total),
    memoryUsedMiB: mibOf(used),
    utilisation: partOf(numberIn(busy)),
    partitionMode: partitionOf(compute, memory),
  };
}

/** Compute and memory partition in one word, as `CPX/NPS4`. */
export function partitionOf(compute: string | undefined, memory: string | undefined): string | undefined {
  const words = [compute, memory].filter((word) => word !== undefined);
  return words.length === 0 ? undefined : words.join('/');
}

/** Local memory is told by i915 for each card and by xe for each tile. */
async function intelFacts(folder: string): Promise<LooseFacts> {
  const drm = await readdir(join(folder, 'drm')).catch(() => []);
  const card = drm.find((name) => /^card\d+$/.test(name));
  const ofCard = card === undefined ? undefined : await textOf(join(folder, 'drm', card, 'lmem_total_bytes'));
  const tiles = (await readdir(folder).catch(() => [])).filter((name) => /^tile\d+$/.test(name));
  const ofTiles = await Promise.all(
    tiles.map(async (tile) =>
      numberIn(decimal(await textOf(join(folder, tile, 'physical_vram_size_bytes')))),
    ),
  );
  const sum = ofTiles.reduce<number>((total, bytes) => total + (bytes ?? 0), 0);
  return { memoryMiB: mibOf(ofCard) ?? (sum > 0 ? Math.floor(sum / 2 ** 20) : undefined) };
}

/** The Unique id of an AMD device, 16 hexadecimal digits; undefined when it has none. */
export async function amdUniqueId(address: string, root = pciSource): Promise<string | undefined> {
  return hexId(await textOf(join(root, address, 'unique_id')));
}

/** 16 hexadecimal digits of a number such as `0x4edfb117a17a07d`; undefined when it is none, or zero. */
export function hexId(text: string | null | undefined): string | undefined {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text?.trim() ?? '')?.[1];
  if (digits === undefined || /^0+$/.test(digits)) return undefined;
  return digits.toLowerCase().padStart(16, '0');
}

function mibOf(bytes: string | undefined): number | undefined {
  const number = numberIn(bytes);
  return number === undefined ? undefined : Math.floor(number / 2 ** 20);
}

function decimal(text: string | undefined): string | undefined {
  return text?.startsWith('0x') ? String(Number(text)) : text;
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
