import { basename } from 'node:path';
import { processIn, type ProcessIdentity } from '../processes/process-identity.js';
import type { SpoolOwner } from '../spool/spool.types.js';

/** Options of a supervisor's program. */
export interface SupervisorOptions {
  /** Scratch space of the host. */
  readonly scratch: string;
  /** Pilot whose payloads it runs. */
  readonly owner: SpoolOwner;
  readonly version: string;
  /** True if payloads end when the pilot dies. */
  readonly endsWithPilot: boolean;
  /** Processes and threads of one payload. */
  readonly maxProcesses: number;
  /** Time between two looks at the processes. */
  readonly sampleMs: number;
  /** Time between two scans of a scratch folder. */
  readonly diskPeriodMs: number;
  /** Processes of the pilot that may be moved together with it to another control group. */
  readonly companions: readonly number[];
}

/** Program and settings of a supervisor. Pilots with others start one of their own for new payloads. */
export function settingsOf({
  version,
  endsWithPilot,
  maxProcesses,
  sampleMs,
  diskPeriodMs,
}: SupervisorOptions): string {
  return JSON.stringify({ version, endsWithPilot, maxProcesses, sampleMs, diskPeriodMs });
}

/** Name of a supervisor's part of the scratch space: `payloads-PID-START`. */
export const partPrefix = 'payloads';

/** The supervisor whose part of the scratch space the folder is; undefined for other folders. */
export function supervisorOf(folder: string): ProcessIdentity | undefined {
  return processIn(basename(folder), partPrefix);
}
