import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { findContainerRuntimes } from './containers.js';
import { parseCpuInfo, type CpuFacts } from './cpu.js';
import { freeDiskMiB, usableResources } from './limits.js';

/** What a worker says about its host. All of it is found here and now; devices will stand beside it. */
export interface HostFacts {
  readonly host: string;
  readonly cpu: CpuFacts;
  /** Cores offered to jobs. */
  readonly cores: number;
  /** Memory offered to jobs. */
  readonly memoryMiB: number;
  /** Scratch space offered to jobs. */
  readonly diskMiB: number;
  readonly containerRuntimes: readonly string[];
  /** Whether payloads reach the outside network; null when nobody said. */
  readonly network: boolean | null;
}

/** What the operator decides instead of what is found. */
export interface HostOptions {
  /** An existing folder; the free space of its file system is what is offered. */
  readonly scratch: string;
  /** Where programs are looked for. */
  readonly searchPath: string;
  /** Folders with libraries of devices' drivers which nothing but a variable tells; see `driverLibraries`. */
  readonly driverLibraries?: readonly string[] | undefined;
  /** Variables of the pilot that container runtimes need for themselves; none unless given. */
  readonly runtimeEnvironment?: Readonly<Record<string, string>> | undefined;
  readonly cores?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly diskMiB?: number | undefined;
  readonly network?: boolean | undefined;
}

/** Looks at the host. What it cannot find out is null, never a guess. */
export async function findHostFacts(options: HostOptions): Promise<HostFacts> {
  const [cpuInfo, usable, diskMiB, containerRuntimes] = await Promise.all([
    readFile('/proc/cpuinfo', 'utf8').catch(() => ''),
    usableResources(),
    freeDiskMiB(options.scratch),
    findContainerRuntimes(options.searchPath),
  ]);
  return {
    host: hostname(),
    cpu: parseCpuInfo(cpuInfo, process.arch),
    cores: options.cores ?? usable.cores,
    memoryMiB: options.memoryMiB ?? usable.memoryMiB,
    diskMiB: options.diskMiB ?? diskMiB,
    containerRuntimes,
    network: options.network ?? null,
  };
}
