/** The stored shape of a worker and of its lease. `worker.document.ts` has the validators and the indexes that go with it. */
import type { DeviceDocument } from '../gpus/device.types.js';
import type { StoredLabel } from '../shared/label.types.js';
import type { WorkerState, StoredHardware } from '../scheduler/worker-facts.types.js';

/** States in which a worker has a lease and may hold jobs. */
export const liveWorkerStates = ['READY', 'DRAINING'] as const satisfies readonly WorkerState[];

/** States that a worker does not leave. */
export const endedWorkerStates = ['ENDED', 'LOST'] as const satisfies readonly WorkerState[];

/** Facts that are reported, and replaced, as a whole. */
export const factParts = ['hardware', 'devices'] as const;

/** One of {@link factParts}. */
export type FactPart = (typeof factParts)[number];

/** What of a device was in use at the latest report that told it. */
export interface DeviceUse {
  readonly id: string;
  /** 0 to 1. */
  readonly utilisation?: number;
  readonly memoryUsedMiB?: number;
}

/** A stored worker. It is written when something about it changes, never by a mere sign of life. */
export interface WorkerDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  /** By the clock of the store, so that every process can ask for what changed since. */
  readonly updatedAt: Date;
  readonly queueId: string;
  /** Name of the queue. */
  readonly queue: string;
  readonly name: string;
  /** The name again while the worker lives: unique in its queue. */
  readonly liveName?: string;
  readonly host: string;
  readonly version: string;
  readonly state: WorkerState;
  readonly stateReason?: string;
  readonly hardware: StoredHardware;
  readonly labels: readonly StoredLabel[];
  readonly devices: readonly DeviceDocument[];
  /** The versions of the reports that these facts are from, as the lease counts them. */
  readonly told?: Readonly<Partial<Record<FactPart, number>>>;
  readonly endsAt?: Date;
  /** Subject and idempotency key of the registration. */
  readonly registrationKey: string;
  /** SHA-256 of what was registered under the key. */
  readonly registrationDigest: string;
  /** For a worker that no longer lives: what its lease said last. */
  readonly lastSeenAt?: Date;
  readonly leaseExpiresAt?: Date;
}

/** A job that a worker says it holds. */
export interface HeldJob {
  readonly id: string;
  readonly fence: number;
}

/** The latest report of some facts. */
export interface FactVersion {
  readonly digest: string;
  readonly version: number;
}

/** A worker's lease: renewed by its signs of life, apart from the worker, so that they do not rewrite it. */
export interface LeaseDocument {
  /** The worker's id. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly queueId: string;
  readonly createdAt: Date;
  /** When the worker was last heard of, by the clock of the store. */
  readonly updatedAt: Date;
  readonly expiresAt: Date;
  /** The jobs of the latest sign of life. */
  readonly jobs: readonly HeldJob[];
  /** Of the latest report of devices. It changes with every report, so it is kept here and not with the worker. */
  readonly deviceUse?: readonly DeviceUse[];
  /** Of the latest report of each: its digest, and how many reports so far differed from the one before. */
  readonly told?: Readonly<Partial<Record<FactPart, FactVersion>>>;
  /** Set once, before the jobs go back: from then on the lease cannot be renewed. */
  readonly lostAt?: Date;
  /** Why it was lost. */
  readonly lostReason?: string;
}

/** How a lease stands. */
export type LeaseTerms = Pick<LeaseDocument, '_id' | 'expiresAt' | 'told' | 'lostAt' | 'lostReason'>;

/** What a report leaves with the lease. */
export type Digests = Readonly<Partial<Record<FactPart, string>>>;
