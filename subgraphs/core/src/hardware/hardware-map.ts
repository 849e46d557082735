/** Hardware as it is, summed up from what workers reported: pure. */
import { modelOf, modelsNamed } from '../gpus/catalogue/catalogue.js';
import { compareVersions } from '../gpus/catalogue/versions.js';
import { isPartition, ownMemoryMiB } from '../gpus/capacity/gpu-equivalents.js';
import type { DeviceDocument } from '../gpus/device.types.js';
import type { WorkerFacts } from '../scheduler/worker-facts.types.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

/** GPUs alike. */
export interface GpuHardware {
  readonly vendor: string;
  readonly model: string;
  readonly reportedAs: readonly string[];
  readonly migProfile: string | null;
  readonly partition: string | null;
  readonly driverBranch: string | null;
  readonly oldestDriver: string | null;
  readonly cudaVersion: string | null;
  readonly rocmVersion: string | null;
  readonly memoryMiB: number | null;
  readonly target: string | null;
  readonly hosts: number;
  readonly devices: number;
  readonly free: number;
  readonly unhealthy: number;
  readonly unknown: number;
  readonly lastSeenAt: Date;
}

/** A live worker, with what is not known of itself. */
export interface SeenWorker {
  readonly worker: Pick<WorkerFacts, 'id' | 'host' | 'state' | 'devices' | 'hardware'>;
  readonly queue: Pick<QueueFacts, 'name' | 'site'>;
  readonly lastSeenAt: Date;
  /** Its devices that are given to jobs. */
  readonly booked: ReadonlySet<string>;
}

/** Devices alike of workers that have ended. */
export interface GoneDevices {
  readonly queue: Pick<QueueFacts, 'name' | 'site'>;
  readonly device: Pick<
    DeviceDocument,
    | 'vendor'
    | 'model'
    | 'pciId'
    | 'migProfile'
    | 'partitionMode'
    | 'driverVersion'
    | 'cudaVersion'
    | 'rocmVersion'
  >;
  readonly lastSeenAt: Date;
}

/** Which devices are wanted. */
export interface DeviceFilter {
  readonly vendors?: readonly string[] | null | undefined;
  readonly models?: readonly string[] | null | undefined;
}

type Row = { -readonly [K in keyof GpuHardware]: GpuHardware[K] };
interface Group {
  readonly row: Row;
  readonly names: Set<string>;
  readonly hosts: Set<string>;
}
type Described = GoneDevices['device'] & Partial<DeviceDocument>;

/** The rows of some workers: most devices first. */
export function gpuHardware(
  workers: readonly SeenWorker[],
  gone: readonly GoneDevices[] = [],
  filter: DeviceFilter = {},
): readonly GpuHardware[] {
  const groups = new Map<string, Group>();
  const isWanted = deviceFilter(filter);
  for (const { device, host, health, isOffered, isTaken, lastSeenAt } of presentDevices(workers)) {
    if (!isWanted(device)) continue;
    const group = groupOf(groups, device, lastSeenAt);
    group.hosts.add(host);
    count(group.row, health, isOffered && !isTaken);
  }
  for (const { device, lastSeenAt } of gone) if (isWanted(device)) groupOf(groups, device, lastSeenAt);
  return [...groups.values()]
    .map(({ row, names, hosts }) => ({ ...row, reportedAs: [...names].sort(), hosts: hosts.size }))
    .sort((a, b) => b.devices - a.devices || compareRows(a, b));
}

/** A device as all workers that see it tell of it. */
interface PresentDevice {
  readonly device: DeviceDocument;
  /** With its site. */
  readonly host: string;
  readonly health: DeviceDocument['health'];
  /** Whether one of the workers takes work. */
  readonly isOffered: boolean;
  readonly isTaken: boolean;
  readonly lastSeenAt: Date;
}

/** Slices and partitions, and devices that are not divided; one that several workers of a host see is one. */
function presentDevices(workers: readonly SeenWorker[]): Iterable<PresentDevice> {
  const found = new Map<string, PresentDevice>();
  for (const { worker, queue, lastSeenAt, booked } of workers) {
    const host = `${queue.site}\n${worker.host}`;
    const divided = new Set(worker.devices.flatMap(({ parentId }) => parentId ?? []));
    const bad = new Set(worker.devices.filter(({ health }) => health === 'UNHEALTHY').map(({ id }) => id));
    for (const device of worker.devices) {
      if (divided.has(device.id)) continue;
      const health = bad.has(device.parentId ?? '') ? 'UNHEALTHY' : device.health;
      const [isOffered, isTaken] = [worker.state === 'READY', booked.has(device.id)];
      const own = { device, host, health, isOffered, isTaken, lastSeenAt };
      const key = `${host}\n${device.id}`;
      const known = found.get(key);
      found.set(key, known ? together(known, own) : own);
    }
  }
  return found.values();
}

/** Who was heard of last tells what it is; it is taken where anybody has given it away, and bad where anybody says so. */
function together(a: PresentDevice, b: PresentDevice): PresentDevice {
  const last = b.lastSeenAt > a.lastSeenAt ? b : a;
  const isBad = a.health === 'UNHEALTHY' || b.health === 'UNHEALTHY';
  return {
    ...last,
    health: isBad ? 'UNHEALTHY' : last.health,
    isOffered: a.isOffered || b.isOffered,
    isTaken: a.isTaken || b.isTaken,
  };
}

/** Whether a device is wanted. Words for models are looked up once. */
function deviceFilter({ vendors, models }: DeviceFilter): (device: Described) => boolean {
  const wanted = models?.map((word) => ({ word: word.toLowerCase(), rows: modelsNamed(word) }));
  const wantedVendors = vendors?.map((vendor) => vendor.toUpperCase());
  return (device) => {
    if (wantedVendors && !wantedVendors.includes(device.vendor)) return false;
    if (!wanted) return true;
    const row = modelOf(device);
    return wanted.some(
      ({ word, rows }) => (row !== undefined && rows.has(row)) || device.model.toLowerCase() === word,
    );
  };
}

function groupOf(groups: Map<string, Group>, device: Described, lastSeenAt: Date): Group {
  const row = emptyRow(device, lastSeenAt);
  const key = [
    row.vendor,
    row.model,
    row.migProfile,
    row.partition,
    row.driverBranch,
    row.cudaVersion,
    row.rocmVersion,
  ].join('\n');
  const group = groups.get(key) ?? { row, names: new Set<string>(), hosts: new Set<string>() };
  groups.set(key, group);
  group.names.add(device.model);
  if (lastSeenAt > group.row.lastSeenAt) group.row.lastSeenAt = lastSeenAt;
  const { driverVersion } = device;
  const memoryMiB = ownMemoryMiB(device);
  const oldest = group.row.oldestDriver;
  if (driverVersion !== undefined && (oldest === null || compareVersions(driverVersion, oldest) < 0))
    group.row.oldestDriver = driverVersion;
  if (memoryMiB !== undefined) group.row.memoryMiB = Math.min(group.row.memoryMiB ?? Infinity, memoryMiB);
  return group;
}

function emptyRow(device: Described, lastSeenAt: Date): Row {
  const known = modelOf(device);
  return {
    vendor: device.vendor,
    model: known?.name ?? device.model,
    reportedAs: [],
    migProfile: device.migProfile ?? null,
    partition: isPartition(device) ? (device.partitionMode ?? 'unknown') : null,
    driverBranch: driverBranch(device),
    oldestDriver: null,
    cudaVersion: device.cudaVersion ?? null,
    rocmVersion: device.rocmVersion ?? null,
    memoryMiB: null,
    target:
      device.computeCapability ?? device.gfxTarget ?? known?.computeCapability ?? known?.gfxTarget ?? null,
    hosts: 0,
    devices: 0,
    free: 0,
    unhealthy: 0,
    unknown: 0,
    lastSeenAt,
  };
}

/** NVIDIA counts its branches by one number; the others' drivers change with the second. */
export function driverBranch({
  vendor,
  driverVersion,
}: Pick<Described, 'vendor' | 'driverVersion'>): string | null {
  const form = vendor === 'NVIDIA' ? /^\d+/ : /^\d+(\.\d+)?/;
  return form.exec(driverVersion ?? '')?.[0] ?? driverVersion ?? null;
}

function count(row: Row, health: DeviceDocument['health'], isFree: boolean): void {
  row.devices += 1;
  if (health === 'UNHEALTHY') row.unhealthy += 1;
  else if (health === 'UNKNOWN') row.unknown += 1;
  else if (isFree) row.free += 1;
}

function compareRows(a: GpuHardware, b: GpuHardware): number {
  const text = ({
    vendor,
    model,
    migProfile,
    partition,
    driverBranch: branch,
    cudaVersion,
  }: GpuHardware): string => [vendor, model, migProfile, partition, branch, cudaVersion].join('\n');
  return text(a) < text(b) ? -1 : 1;
}
