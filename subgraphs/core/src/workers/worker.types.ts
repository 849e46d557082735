/** Stored shapes of a worker and its lease. `worker.document.ts` has their validators and indexes. */
import type { DeviceDocument } from '../gpus/device.types.js';
import type { StoredLabel } from '../shared/label.types.js';
import type { WorkerState, StoredHardware } from '../scheduler/worker-facts.types.js';

/** States in which a worker has a lease and may hold jobs. */
export const liveWorkerStates = ['READY', 'DRAINING'] as const satisfies readonly WorkerState[];

/** States in which a worker has not ended: it may hold jobs. */
export const openWorkerStates = [
  ...liveWorkerStates,
  'UNREACHABLE',
] as const satisfies readonly WorkerState[];

/** Final states of a worker. */
export const endedWorkerStates = ['ENDED', 'LOST'] as const satisfies readonly WorkerState[];

/** Parts of the facts that are reported and replaced as a whole. */
export const factParts = ['hardware', 'devices'] as const;

/** One of {@link factParts}. */
export type FactPart = (typeof factParts)[number];

/** Use of a device in its latest report. */
export interface DeviceUse {
  readonly id: string;
  /** 0 to 1. */
  readonly utilisation?: number;
  readonly memoryUsedMiB?: number;
}

/** A stored worker. It is written when something about it changes, not by a heartbeat alone. */
export interface WorkerDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  /** By the clock of the store, so that every process can query what changed since. */
  readonly updatedAt: Date;
  readonly queueId: string;
  /** Name of the queue. */
  readonly queue: string;
  readonly name: string;
  /** Copy of the name while the worker is live: unique in its queue. */
  readonly liveName?: string;
  readonly host: string;
  readonly version: string;
  readonly state: WorkerState;
  readonly stateReason?: string;
  /** End of the lease of an unreachable worker. */
  readonly unreachableSince?: Date;
  /** Time of its return, until its first heartbeat shows which jobs it still has. */
  readonly returnedAt?: Date;
  /** State of an unreachable worker when it returns. */
  readonly stateBefore?: (typeof liveWorkerStates)[number];
  readonly hardware: StoredHardware;
  readonly labels: readonly StoredLabel[];
  readonly devices: readonly DeviceDocument[];
  /** Versions of the reports that these facts are from, as counted by the lease. */
  readonly reportVersions?: Readonly<Partial<Record<FactPart, number>>>;
  readonly endsAt?: Date;
  /** Batch job in which the worker runs, by the id of the batch system. */
  readonly batchJobId?: string;
  /** Thumbprint of the key of its credential; absent for a worker with a token of its queue. */
  readonly keyThumbprint?: string;
  /** Queue, subject and idempotency key of the registration. */
  readonly registrationKey: string;
  /** SHA-256 of the input that was registered under the key. */
  readonly registrationDigest: string;
  /** Latest reported device use of a worker that has ended or was lost. */
  readonly lastSeenAt?: Date;
  readonly leaseExpiresAt?: Date;
}

/** A job that a worker reports to hold. */
export interface HeldJob {
  readonly id: string;
  readonly fence: number;
}

/** Digest and version of the latest report of some facts. */
export interface FactVersion {
  readonly digest: string;
  readonly version: number;
}

/** A job that a worker held when its lease ended: its devices stay booked while its payload may run. */
export interface RetainedJob {
  readonly jobId: string;
  readonly fence: number;
  readonly until: Date;
  readonly deviceIds: readonly string[];
  /** As in the requirement: part of the device in thousandths, memory of that part, exclusive use. */
  readonly share?: number;
  readonly shareMemoryMiB?: number;
  readonly exclusive?: true;
}

/** The lease of a worker. Heartbeats renew it, and do not rewrite the worker. */
export interface LeaseDocument {
  /** The worker's id. */
  readonly _id: string;
  readonly schemaVersion: number;
  /** Raised by heartbeats only: jobs that a later one does not list are missing. */
  readonly revision: number;
  readonly queueId: string;
  readonly createdAt: Date;
  /** Time of the latest heartbeat, by the clock of the store. */
  readonly updatedAt: Date;
  readonly expiresAt: Date;
  /** Jobs of the latest heartbeat. */
  readonly jobs: readonly HeldJob[];
  /**
   * From the latest report of devices. It changes with every report, so it is stored here and not with the
   * worker.
   */
  readonly deviceUse?: readonly DeviceUse[];
  /**
   * Digest of the latest report of each part, and number of reports so far that differed from the previous
   * one.
   */
  readonly reportVersions?: Readonly<Partial<Record<FactPart, FactVersion>>>;
  /** Set when the lease has ended. From then on it cannot be renewed, only revived. */
  readonly lostAt?: Date;
  /** Reason for the loss. */
  readonly lostReason?: string;
  /** Time at which the leader follows up the loss. */
  readonly dueAt?: Date;
  /** Time until which payloads of the worker may run and return. */
  readonly until?: Date;
  /** Nothing of the worker can return: the lease cannot be revived. */
  readonly isFinal?: true;
  /** The worker has ended, and was not lost. */
  readonly hasEnded?: true;
  /** The pilot of the worker started again, which proves that the worker is gone. */
  readonly hasRestarted?: true;
  /** Absent if there are none. */
  readonly retained?: readonly RetainedJob[];
}

/** The part of a lease that decides about heartbeats. */
export type LeaseTerms = Pick<
  LeaseDocument,
  '_id' | 'expiresAt' | 'reportVersions' | 'lostAt' | 'lostReason' | 'isFinal' | 'retained'
>;

/** Digests that a report stores with the lease. */
export type Digests = Readonly<Partial<Record<FactPart, string>>>;
