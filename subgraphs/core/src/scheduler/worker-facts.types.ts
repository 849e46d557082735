/** Facts of a worker for scheduling. */
import type { DeviceDocument } from '../gpus/device.types.js';
import type { StoredLabel } from '../shared/label.types.js';

/** State of a worker, as in the schema. */
export type WorkerState = 'READY' | 'DRAINING' | 'UNREACHABLE' | 'ENDED' | 'LOST';

/** Means by which payloads are isolated, as in the schema. */
export const payloadIsolations = ['NAMESPACES', 'APPTAINER', 'PODMAN'] as const;
/** One of {@link payloadIsolations}. */
export type PayloadIsolation = (typeof payloadIsolations)[number];

/** Methods by which workers hold the processes of payloads. */
export const processContainments = ['CONTROL_GROUPS', 'NAMESPACES', 'PROCESS_MARKS'] as const;

/** One of {@link processContainments}. */
export type ProcessContainment = (typeof processContainments)[number];

/** Hardware of a host; unknown facts are left out. */
export interface StoredHardware {
  readonly cpuVendor?: string;
  readonly cpuModel?: string;
  readonly architecture: string;
  readonly architectureLevel?: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly containerRuntimes: readonly string[];
  readonly network?: boolean;
  /** Sorted; absent if there is none. */
  readonly isolation?: readonly PayloadIsolation[];
  /** True if payloads that do not require the network get none; absent means false. */
  readonly networkIsolation?: boolean;
  /** True if system calls of isolated payloads are filtered; absent means false. */
  readonly systemCallFilter?: boolean;
  /** The strongest first; absent if none was reported. */
  readonly processContainment?: readonly ProcessContainment[];
}

/** Facts of a live worker. */
export interface WorkerFacts {
  readonly id: string;
  readonly queueId: string;
  readonly host: string;
  readonly name: string;
  readonly version: string;
  readonly state: WorkerState;
  readonly stateReason?: string;
  readonly hardware: StoredHardware;
  readonly labels: readonly StoredLabel[];
  readonly devices: readonly DeviceDocument[];
  readonly endsAt?: Date;
  /** Thumbprint of the key of its credential; absent for a worker with a token of its queue. */
  readonly keyThumbprint?: string;
}
