import { readFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';

const bytesPerMiB = 1024 * 1024;

/**
 * Resources of the host that this process may use, under the limits of its control group, as in a container
 * or a batch job.
 */
export interface UsableResources {
  readonly cores: number;
  readonly memoryMiB: number;
}

/** Mount point of control groups; tests pass a folder of their own. */
const defaultCgroupRoot = '/sys/fs/cgroup';

/** Cores and memory of the host, or less if a control group (v2 or v1) limits them. */
export async function usableResources(cgroupRoot = defaultCgroupRoot): Promise<UsableResources> {
  const [cores, bytes] = await Promise.all([coreLimit(cgroupRoot), memoryLimit(cgroupRoot)]);
  return {
    cores: Math.max(1, Math.min(availableParallelism(), Math.floor(cores))),
    memoryMiB: Math.max(1, Math.floor(Math.min(totalmem(), bytes) / bytesPerMiB)),
  };
}

/** Free space of a folder's file system. */
export async function freeDiskMiB(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.floor((bavail * bsize) / bytesPerMiB);
}

/** The most files that a process started by this one may open. */
export function openFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

async function coreLimit(root: string): Promise<number> {
  const [quota, period] = (await textOf(`${root}/cpu.max`))?.split(' ').map(Number) ?? [
    numberIn(await textOf(`${root}/cpu/cpu.cfs_quota_us`)),
    numberIn(await textOf(`${root}/cpu/cpu.cfs_period_us`)),
  ];
  // No quota reads as "max" in version 2 and as -1 in version 1.
  return quota !== undefined && quota > 0 && period !== undefined && period > 0 ? quota / period : Infinity;
}

async function memoryLimit(root: string): Promise<number> {
  const text = (await textOf(`${root}/memory.max`)) ?? (await textOf(`${root}/memory/memory.limit_in_bytes`));
  const bytes = numberIn(text);
  return bytes > 0 ? bytes : Infinity;
}

const numberIn = (text: string | undefined): number => Number(text ?? NaN);

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
