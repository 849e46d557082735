/** What stands behind the types of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { Grant } from '../../scheduler/scheduler.types.js';
import type { WorkerCommand } from '../commands/command-rules.js';
import type { WorkerDocument } from '../worker.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';

export type WorkerMapper = WorkerDocument;
export type WorkerConnectionMapper = KeysetPage<WorkerDocument>;
export type WorkerHardwareMapper = WorkerDocument['hardware'];
export type WorkerCommandMapper = WorkerCommand;

/** A device with the worker it is of. */
export interface DeviceMapper extends DeviceDocument {
  readonly workerId: string;
}

/** The job is read where more of it is asked for than the grant tells. */
export type JobAssignmentMapper = Grant;
