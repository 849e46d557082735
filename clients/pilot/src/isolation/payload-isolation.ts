import { mkdir } from 'node:fs/promises';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { ContainerHost } from '../payload/contained.js';
import { containerRuntimes } from '../payload/container.js';
import { assertProgramExists } from '../payload/find-program.js';
import type { LaunchSpec } from '../payload/launch.js';
import type { ProcessLimits } from './bubblewrap.js';
import { deviceFiles } from './device-files.js';
import { tryRuntime } from './runtime-trial.js';
import { programPath, Sandbox } from './sandbox.js';
import { presentFolders } from './writable-folders.js';

/** Means by which payloads are isolated from the host; the names of the API. */
export type IsolationMeans = 'NAMESPACES' | 'APPTAINER' | 'PODMAN';

/** `auto`: isolate where this host allows it. `required`: run nothing without. */
export const isolationModes = ['auto', 'required', 'none'] as const;
/** One of {@link isolationModes}. */
export type IsolationMode = (typeof isolationModes)[number];

/** Facts about the isolation of payloads, as a worker reports them. */
export interface IsolationFacts {
  readonly isolation: readonly IsolationMeans[];
  /** True if payloads that do not require the network get none. */
  readonly networkIsolation: boolean;
  /** True if payloads without an image cannot make system calls that containers deny by default. */
  readonly systemCallFilter: boolean;
}

/** Options of the isolation of payloads. */
export interface IsolationOptions {
  readonly mode: IsolationMode;
  /** Folders of the site that payloads may read, in addition to those of the operating system. */
  readonly readable: readonly string[];
  /** Folders of the site that payloads may write, with an image or without. */
  readonly writable: readonly string[];
  /** True if payloads that do not require the network get none. */
  readonly isolatesNetwork: boolean;
  /** True if payloads without an image get a filter of system calls. */
  readonly filtersSystemCalls: boolean;
  readonly limits: ProcessLimits;
}

/** A payload without image. */
export interface HostPayload {
  readonly spec: LaunchSpec;
  readonly folders: AttemptFolders;
  readonly memoryMiB: number;
  readonly devices: readonly DetectedDevice[];
  readonly driverLibraries: readonly string[];
  readonly needsNetwork: boolean;
  /** Folder of the host with its secrets. */
  readonly secrets?: string | undefined;
  /** Folder of the host for its work on units. */
  readonly units?: string | undefined;
}

/** Isolation of the payloads of one pilot, as found when the pilot started. */
export class PayloadIsolation {
  readonly #options: IsolationOptions;
  readonly #sandbox: Sandbox | undefined;
  /** Reason why there is no sandbox; undefined if there is one. */
  readonly reason: string | undefined;
  /** True if payloads that do not require the network get none. */
  readonly isolatesNetwork: boolean;
  /** The container runtimes that work here, with the options that they need. */
  readonly containers: ContainerHost;
  readonly #prlimit: string | undefined;
  /** The search for writable folders that runs now. */
  #present: Promise<readonly string[]> | undefined;

  private constructor(
    options: IsolationOptions,
    found: FoundSandbox,
    containers: ContainerHost,
    prlimit: string | undefined,
  ) {
    this.#prlimit = prlimit;
    this.#options = options;
    this.#sandbox = found.sandbox;
    this.reason = found.reason;
    this.isolatesNetwork = found.isolatesNetwork;
    this.containers = containers;
  }

  /** Tries what this host allows, by running it. */
  static async find(
    options: IsolationOptions,
    containers: ContainerHost,
    scratch: string,
  ): Promise<PayloadIsolation> {
    const [found, usable, prlimit] = await Promise.all([
      findSandbox(options, scratch),
      usableRuntimes(containers, scratch),
      programPath('prlimit'),
    ]);
    return new PayloadIsolation(options, found, usable, prlimit);
  }

  /** True if payloads without image run in a sandbox. */
  get hasSandbox(): boolean {
    return this.#sandbox !== undefined;
  }

  /** Limits of every payload, in an image too. */
  get limits(): ProcessLimits {
    return this.#options.limits;
  }

  /** Folders of the host that a payload may write which starts now, at the same path. */
  writable(): Promise<readonly string[]> {
    this.#present ??= presentFolders(this.#options.writable).finally(() => (this.#present = undefined));
    return this.#present;
  }

  /** Facts for the worker's registration. */
  get facts(): IsolationFacts {
    const { runtimes } = this.containers;
    const isolation: readonly IsolationMeans[] = [
      ...(this.hasSandbox ? (['NAMESPACES'] as const) : []),
      ...(runtimes.some((name) => name !== 'podman') ? (['APPTAINER'] as const) : []),
      ...(runtimes.includes('podman') ? (['PODMAN'] as const) : []),
    ];
    return {
      isolation,
      networkIsolation: this.isolatesNetwork,
      systemCallFilter: this.#sandbox?.filtersSystemCalls ?? false,
    };
  }

  /**
   * The command that runs a payload without image.
   * @throws the error of the operating system, with its `code`, if the payload's program does not exist
   */
  async commandFor(payload: HostPayload): Promise<LaunchSpec> {
    const { spec, folders, memoryMiB, devices, driverLibraries, needsNetwork } = payload;
    await assertProgramExists(spec);
    if (this.#sandbox === undefined) return this.#marked(spec);
    await mkdir(folders.private, { recursive: true, mode: 0o700 });
    return this.#sandbox.commandFor({
      spec,
      folders,
      limits: this.#options.limits,
      sharedMemoryBytes: memoryMiB * 1024 ** 2,
      deviceNodes: await deviceFiles(devices),
      readable: devices.length === 0 ? [] : driverLibraries,
      writable: await this.writable(),
      hasNetwork: needsNetwork || !this.isolatesNetwork,
      secrets: payload.secrets,
      units: payload.units,
    });
  }

  /** Without a sandbox, a mark finds processes that would outlive their job. */
  #marked(spec: LaunchSpec): LaunchSpec {
    const prlimit = this.#prlimit;
    if (prlimit === undefined) return spec;
    return { ...spec, mark: { prlimit, openFiles: this.#options.limits.openFiles } };
  }
}

interface FoundSandbox {
  readonly sandbox: Sandbox | undefined;
  readonly reason: string | undefined;
  readonly isolatesNetwork: boolean;
}

async function findSandbox(
  { mode, readable, isolatesNetwork, filtersSystemCalls }: IsolationOptions,
  scratch: string,
): Promise<FoundSandbox> {
  const none = { sandbox: undefined, isolatesNetwork: false };
  if (mode === 'none') return { ...none, reason: 'switched off' };
  const found = await Sandbox.find({ readable, scratch, filtersSystemCalls });
  if (!(found instanceof Sandbox)) return { ...none, reason: found.reason };
  const hasOwnNetwork = isolatesNetwork && (await found.isolatesNetwork(scratch));
  return { sandbox: found, reason: undefined, isolatesNetwork: hasOwnNetwork };
}

async function usableRuntimes(containers: ContainerHost, scratch: string): Promise<ContainerHost> {
  const known = containerRuntimes.filter((name) => containers.runtimes.includes(name));
  const tried = await Promise.all(
    known.map(async (name) => ({ name, host: await tryRuntime(name, containers, scratch) })),
  );
  const usable = tried.filter(({ host }) => host !== undefined);
  const podman = usable.find(({ name }) => name === 'podman')?.host;
  return {
    ...containers,
    runtimes: usable.map(({ name }) => name),
    usesControlGroups: podman?.usesControlGroups ?? containers.usesControlGroups,
  };
}
