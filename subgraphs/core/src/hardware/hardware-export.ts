/**
 * Hardware in the form used by information systems such as CRIC; described in docs/reference/gpus.md. Pure.
 */
import { gpuHardware, type GpuHardware, type SeenWorker } from './hardware-map.js';
import type { StoredHardware } from '../scheduler/worker-facts.types.js';

/** An entry of a queue's `architectures`. */
export interface ExportEntry {
  readonly type: 'cpu' | 'gpu';
  readonly arch: readonly string[];
  readonly instr: readonly string[];
  readonly vendor: readonly string[];
  readonly model: readonly string[];
  readonly version: string | null;
  readonly driverVersion: string | null;
  readonly target: string | null;
  readonly vramMiB: number | null;
  readonly hosts: number;
  readonly count: number;
}

/** Vendor names of the kernel, mapped to those of information systems. */
const cpuVendors: Readonly<Record<string, string>> = { GenuineIntel: 'intel', AuthenticAMD: 'amd' };

/** Returns the entries for the workers of one queue, CPUs first. */
export function exportEntries(workers: readonly SeenWorker[]): readonly ExportEntry[] {
  return [...cpuEntries(workers), ...gpuEntries(workers)];
}

function cpuEntries(workers: readonly SeenWorker[]): readonly ExportEntry[] {
  const groups = new Map<string, { entry: ExportEntry; hosts: Set<string>; cores: number }>();
  for (const { worker } of workers) {
    const entry = cpuEntry(worker.hardware);
    const key = JSON.stringify([entry.arch, entry.instr, entry.vendor, entry.model]);
    const group = groups.get(key) ?? { entry, hosts: new Set<string>(), cores: 0 };
    groups.set(key, group);
    group.hosts.add(worker.host);
    group.cores += worker.hardware.cores;
  }
  return [...groups.values()]
    .map(({ entry, hosts, cores }) => ({ ...entry, hosts: hosts.size, count: cores }))
    .sort((a, b) => b.count - a.count || (a.model.join() < b.model.join() ? -1 : 1));
}

function cpuEntry({ architecture, architectureLevel, cpuVendor, cpuModel }: StoredHardware): ExportEntry {
  const vendor = cpuVendor === undefined ? [] : [cpuVendors[cpuVendor] ?? cpuVendor.toLowerCase()];
  return {
    type: 'cpu',
    arch: [architecture],
    instr: architectureLevel === undefined ? [] : [architectureLevel],
    vendor,
    model: cpuModel === undefined ? [] : [plain(cpuModel)],
    version: null,
    driverVersion: null,
    target: null,
    vramMiB: null,
    hosts: 0,
    count: 0,
  };
}

/** Returns GPUs that jobs can use; unusable devices are left out. */
function gpuEntries(workers: readonly SeenWorker[]): readonly ExportEntry[] {
  return gpuHardware(workers)
    .map((row) => ({ row, usable: row.devices - row.unhealthy - row.unknown }))
    .filter(({ usable }) => usable > 0)
    .map(({ row, usable }) => ({
      type: 'gpu' as const,
      arch: [],
      instr: [],
      vendor: [row.vendor.toLowerCase()],
      model: [plain(modelText(row))],
      version: row.cudaVersion ?? row.rocmVersion,
      driverVersion: row.oldestDriver,
      target: row.target,
      vramMiB: row.memoryMiB,
      hosts: row.hosts,
      count: usable,
    }));
}

/** Name of the model; slices and partitions count as separate models. */
function modelText({ model, migProfile, partition }: GpuHardware): string {
  if (migProfile !== null) return `${model}-mig-${migProfile}`;
  return partition === null ? model : `${model}-${partition}`;
}

const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9.+]+/g, '-')
    .replace(/^-+|-+$/g, '');
