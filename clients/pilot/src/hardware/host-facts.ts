import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { findContainerRuntimes } from './containers.js';
import { parseCpuInfo, type CpuFacts } from './cpu.js';
import { freeDiskMiB, usableResources } from './limits.js';

/** Facts about a host, detected at registration. */
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
  /** True if payloads reach the outside network; null if not configured. */
  readonly network: boolean | null;
}

/** Values that the operator sets instead of the detected ones. */
export interface HostOptions {
  /** An existing folder; the free space of its file system is offered. */
  readonly scratch: string;
  /** Search path for programs. */
  readonly searchPath: string;
  /** Folders with libraries of device drivers that only a variable points to; see `driverLibraries`. */
  readonly driverLibraries?: readonly string[] | undefined;
  /** Variables of the pilot that container runtimes need; none by default. */
  readonly runtimeEnvironment?: Readonly<Record<string, string>> | undefined;
  readonly cores?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly diskMiB?: number | undefined;
  readonly network?: boolean | undefined;
}

/** Detects the host's facts. Unknown ones are null, never a guess. */
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
