/** Checks of inputs about pilots. Pure. */
import { InputErrors } from '@rhizome/errors';
import type { StoredLabel } from '../../shared/label.types.js';
import { checkDevices, type DeviceInput, storedDevices } from '../../workers/registration/device-input.js';
import {
  checkHardware,
  type HardwareInput,
  storedHardware,
} from '../../workers/registration/worker-input.js';
import { workerLimits } from '../../workers/worker.document.js';
import type { WorkerErrorCode } from '../../workers/worker-errors.js';
import type { PilotShape } from '../demand/shapes.js';
import type { PilotState } from '../model/pilot.types.js';

type Maybe<T> = T | null | undefined;

/** Codes of errors of `pilotDemand`. */
export type DemandCode = 'QUEUE_NOT_FOUND';

/** Codes of errors of `reportPilots`. */
export type ReportCode = DemandCode | 'NOT_LEADING';

/** Codes of errors of `requestPilots`. */
export type RequestCode = ReportCode | 'IDEMPOTENCY_KEY_REUSED';

/** A shape as an executor describes it. */
export interface PilotShapeInput {
  readonly name: string;
  readonly hardware: HardwareInput;
  readonly labels?: Maybe<readonly StoredLabel[]>;
  readonly devices?: Maybe<readonly DeviceInput[]>;
  readonly lifetimeSeconds: number;
}

/** Shapes of a queue. */
export interface ShapesInput {
  readonly shapes: readonly PilotShapeInput[];
}

/** Input of `requestPilots`. */
export interface RequestPilots {
  readonly queue: string;
  readonly executor: string;
  readonly instance: string;
  readonly classId: string;
  readonly experiment: string;
  readonly shape: string;
  readonly jobsPerPilot: number;
  readonly count: number;
  readonly maxOpenPilots: number;
  readonly idempotencyKey: string;
}

/** Report of one pilot. */
export interface PilotReportInput {
  readonly id: string;
  readonly state: PilotState;
  readonly batchJobId?: Maybe<string>;
  readonly reason?: Maybe<string>;
}

/** Input of `reportPilots`. */
export interface ReportPilots {
  readonly queue: string;
  readonly instance: string;
  readonly leaseSeconds?: Maybe<number>;
  readonly pilots: readonly PilotReportInput[];
}

/** Limits of inputs. */
export const pilotLimits = { shapes: 20, perRequest: 1000, perReport: 1000, openPilots: 100_000 } as const;

const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const nameForm = '1 to 63 letters, digits, ".", "_" or "-", beginning with a letter or digit';
const longestLife = 30 * 86_400;

/** Errors of shapes. */
export function checkShapes({ shapes }: ShapesInput): InputErrors<DemandCode> {
  const errors = new InputErrors<DemandCode>();
  errors.list(['shapes'], shapes, pilotLimits.shapes, 1);
  errors.distinct(
    ['shapes'],
    shapes.map((shape) => shape.name),
  );
  shapes.forEach((shape, index) => {
    const path = ['shapes', index];
    const own = new InputErrors<WorkerErrorCode>();
    errors.form([...path, 'name'], shape.name, name, nameForm);
    checkHardware(own, [...path, 'hardware'], shape.hardware);
    checkDevices(own, [...path, 'devices'], shape.devices ?? []);
    errors.labels([...path, 'labels'], shape.labels ?? [], workerLimits.labels);
    errors.int([...path, 'lifetimeSeconds'], shape.lifetimeSeconds, 1, longestLife);
    for (const { path: at, message } of own.all) errors.report('INVALID_VALUE', at, message);
  });
  return errors;
}

/** Shapes that were checked, in the form in which their workers would be stored. */
export function shapesOf({ shapes }: ShapesInput): readonly PilotShape[] {
  return shapes.map(({ name: shape, hardware, labels, devices, lifetimeSeconds }) => ({
    name: shape,
    hardware: storedHardware(hardware),
    labels: (labels ?? []).map(({ key, value }) => ({ key, value })),
    devices: storedDevices(devices ?? []),
    lifetimeSeconds,
  }));
}

/** Errors of a request. */
export function checkRequest(input: RequestPilots): InputErrors<RequestCode> {
  const errors = new InputErrors<RequestCode>();
  errors.form(['executor'], input.executor, name, nameForm);
  errors.text(['instance'], input.instance, 1, 100);
  errors.form(['classId'], input.classId, /^class_[0-9a-f]{26}$/, 'the id of a requirement class');
  errors.text(['experiment'], input.experiment, 1, 63);
  errors.form(['shape'], input.shape, name, nameForm);
  errors.int(['jobsPerPilot'], input.jobsPerPilot, 1, 65_535);
  errors.int(['count'], input.count, 1, pilotLimits.perRequest);
  errors.int(['maxOpenPilots'], input.maxOpenPilots, 1, pilotLimits.openPilots);
  errors.text(['idempotencyKey'], input.idempotencyKey, 1, 200);
  return errors;
}

/** Errors of a report. */
export function checkReport({ instance, leaseSeconds, pilots }: ReportPilots): InputErrors<ReportCode> {
  const errors = new InputErrors<ReportCode>();
  errors.text(['instance'], instance, 1, 100);
  errors.int(['leaseSeconds'], leaseSeconds, 5, 3600);
  errors.distinct(
    ['pilots'],
    pilots.map(({ id }) => id),
    pilotLimits.perReport,
  );
  pilots.forEach(({ id, state, batchJobId, reason }, index) => {
    const path = ['pilots', index];
    errors.text([...path, 'id'], id, 1, 100);
    if (state === 'REQUESTED')
      errors.add([...path, 'state'], state, 'a state in which the batch system has it');
    if (batchJobId != null) errors.text([...path, 'batchJobId'], batchJobId, 1, 128);
    if (reason != null) errors.text([...path, 'reason'], reason, 1, 500);
  });
  return errors;
}
