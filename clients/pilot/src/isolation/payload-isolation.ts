import { mkdir } from 'node:fs/promises';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import type { AttemptFolders } from '../files/scratch.js';
import { assertProgramExists } from '../payload/find-program.js';
import type { LaunchSpec } from '../payload/launch.js';
import type { ProcessLimits } from './bubblewrap.js';
import { deviceFiles } from './device-files.js';
import { Sandbox } from './sandbox.js';

/** Means by which payloads are isolated from the host; the names of the API. */
export type IsolationMeans = 'NAMESPACES' | 'APPTAINER' | 'PODMAN';

/** `auto`: isolate where this host allows it. `required`: run nothing without. */
export const isolationModes = ['auto', 'required', 'none'] as const;
/** One of {@link isolationModes}. */
export type IsolationMode = (typeof isolationModes)[number];

/** Options of the isolation of payloads. */
export interface IsolationOptions {
  readonly mode: IsolationMode;
  /** Folders of the site that payloads may read, in addition to those of the operating system. */
  readonly readable: readonly string[];
  /** True if payloads that do not require the network get none. */
  readonly isolatesNetwork: boolean;
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
}

/** Isolation of the payloads of one pilot, as found when the pilot started. */
export class PayloadIsolation {
  readonly #options: IsolationOptions;
  readonly #sandbox: Sandbox | undefined;
  /** Reason why there is no sandbox; undefined if there is one. */
  readonly reason: string | undefined;
  /** True if payloads that do not require the network get none. */
  readonly isolatesNetwork: boolean;

  private constructor(
    options: IsolationOptions,
    found: Sandbox | { readonly reason: string },
    isolatesNetwork: boolean,
  ) {
    this.#options = options;
    this.#sandbox = found instanceof Sandbox ? found : undefined;
    this.reason = found instanceof Sandbox ? undefined : found.reason;
    this.isolatesNetwork = isolatesNetwork;
  }

  /** Tries what this host allows, by running it. */
  static async find(options: IsolationOptions, scratch: string): Promise<PayloadIsolation> {
    const { mode, readable } = options;
    if (mode === 'none') return new PayloadIsolation(options, { reason: 'switched off' }, false);
    const found = await Sandbox.find({ readable, scratch });
    const isolatesNetwork =
      options.isolatesNetwork && found instanceof Sandbox && (await found.isolatesNetwork(scratch));
    return new PayloadIsolation(options, found, isolatesNetwork);
  }

  /** True if payloads without image run in a sandbox. */
  get hasSandbox(): boolean {
    return this.#sandbox !== undefined;
  }

  /** The limits of every payload, in an image too. */
  get limits(): ProcessLimits {
    return this.#options.limits;
  }

  /**
   * The command that runs a payload without image.
   * @throws the error of the operating system, with its `code`, if the payload's program does not exist
   */
  async commandFor(payload: HostPayload): Promise<LaunchSpec> {
    const { spec, folders, memoryMiB, devices, driverLibraries, needsNetwork } = payload;
    await assertProgramExists(spec);
    if (this.#sandbox === undefined) return spec;
    await mkdir(folders.private, { recursive: true, mode: 0o700 });
    return this.#sandbox.commandFor({
      spec,
      folders,
      limits: this.#options.limits,
      sharedMemoryBytes: memoryMiB * 1024 ** 2,
      deviceNodes: await deviceFiles(devices),
      readable: devices.length === 0 ? [] : driverLibraries,
      hasNetwork: needsNetwork || !this.isolatesNetwork,
    });
  }
}
