/** Pilots that executors request and start on batch systems. */

/** States of a pilot, as in the schema. */
export const pilotStates = [
  'REQUESTED',
  'SUBMITTED',
  'PENDING',
  'RUNNING',
  'HELD',
  'UNKNOWN',
  'ENDED',
  'REFUSED',
] as const;

/** One of {@link pilotStates}. */
export type PilotState = (typeof pilotStates)[number];

/** States of pilots that may still run. */
export const openPilotStates = ['REQUESTED', 'SUBMITTED', 'PENDING', 'RUNNING', 'HELD', 'UNKNOWN'] as const;

/** Jobs for which pilots are requested. */
export interface PilotOrder {
  /** Requirement class of the waiting jobs. */
  readonly classId: string;
  readonly experiment: string;
  /** Name of the shape, as the executor's configuration has it. */
  readonly shape: string;
  /** Number of waiting jobs that one pilot is expected to take. */
  readonly jobsPerPilot: number;
}

/** Stored pilot. */
export interface PilotDocument extends PilotOrder {
  /** `pilot_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly queueId: string;
  /** Name of the executor that requested it. */
  readonly executor: string;
  /** Id of the request; the pilots of one request are numbered from 0. */
  readonly batch: string;
  readonly number: number;
  readonly requestKey: string;
  readonly requestDigest: string;
  readonly state: PilotState;
  /** Reason of the state, as the batch system gives it. */
  readonly reason?: string;
  /** Id in the batch system. */
  readonly batchJobId?: string;
  /** True until its worker has been seen, or it has ended. */
  readonly isComing?: true;
  /** Its worker; absent until it has been seen. */
  readonly workerId?: string;
}

/** A request whose pilots may not all be stored yet. */
export interface PilotGrant {
  readonly batch: string;
  readonly key: string;
  readonly digest: string;
  readonly executor: string;
  readonly order: PilotOrder;
  readonly count: number;
  /** True once all pilots are stored: those that have been removed since are not stored again. */
  readonly isStored?: true;
}

/** The one document by which the requests of a queue follow one another. */
export interface PilotLedgerDocument {
  /** Id of the queue. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Instance of the executor that may request pilots until {@link until}. */
  readonly instance: string;
  readonly until: Date;
  /** Newest request; absent before the first one. */
  readonly grant?: PilotGrant;
}
