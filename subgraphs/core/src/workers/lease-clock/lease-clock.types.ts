/** Stored shapes of the lease clock. `lease-clock.document.ts` has their validators. */
import type { Postponement } from './mass-silence.js';

/** State of the lease clock. */
export type LeaseClockState = 'RUNNING' | 'STOPPED' | 'POSTPONED';

/** Record of the leader about its clock, with each write. */
export interface LeaseClockRecord {
  readonly state: LeaseClockState;
  /** Reason for a state other than RUNNING. */
  readonly reason?: string | undefined;
  /** Time of the latest change of the state. */
  readonly since: Date;
  /** Time up to which leases were judged. */
  readonly checkedAt?: Date | undefined;
  /** Workers whose leases have ended and that are not lost. */
  readonly silentWorkers: number;
  /** Live workers, silent or not. */
  readonly workers: number;
  readonly postponement?: Postponement | undefined;
}

/** The stored lease clock. Only the leader of the highest epoch writes it. */
export interface LeaseClockDocument extends LeaseClockRecord {
  readonly _id: 'leases';
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly epoch: number;
}

/** The latest report of a gateway. */
export interface GatewayReportDocument {
  /** Id of the gateway's process. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  /** Time of the report, by the clock of the store. */
  readonly updatedAt: Date;
  readonly isAcceptingPilots: boolean;
}
