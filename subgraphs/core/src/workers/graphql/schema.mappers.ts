/** Types behind the SDL types of this folder. */
import type { JobWithSecrets } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { KeysetPage } from '@rhizome/mongo';
import type { Grant } from '../../scheduler/scheduler.types.js';
import type { LeaseClockView } from '../lease-clock/lease-clock.service.js';
import type { GatewayReportDocument } from '../lease-clock/lease-clock.types.js';
import type { WorkerCommand } from '../commands/worker-command.types.js';
import type { WorkerDocument } from '../worker.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';

/** A held attempt; owner and experiment by name. */
export type HeldAttemptMapper = JobWithSecrets;
export type GatewayStatusMapper = GatewayReportDocument;
export type LeaseClockMapper = LeaseClockView;
export type WorkerMapper = WorkerDocument;
export type WorkerConnectionMapper = KeysetPage<WorkerDocument>;
export type WorkerHardwareMapper = WorkerDocument['hardware'];
export type WorkerCommandMapper = WorkerCommand;

/** A device with the id of its worker. */
export interface DeviceMapper extends DeviceDocument {
  readonly workerId: string;
}

/** The job is read if an operation selects more of it than the grant contains. */
export type JobAssignmentMapper = Grant;
