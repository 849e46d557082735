/** Validates what workers report about themselves and their hosts, and converts it to its stored form. */
import type { InputErrors } from '@rhizome/errors';
import { checkDevices, type DeviceInput } from './device-input.js';
import { known, type Maybe, type Path, checkOptionalText } from './optional-inputs.js';
import { workerLimits } from '../worker.document.js';
import type { WorkerErrorCode } from '../worker-errors.js';
import type { StoredLabel } from '../../shared/label.types.js';
import type { HeldJob } from '../worker.types.js';
import type {
  PayloadIsolation,
  ProcessContainment,
  StoredHardware,
} from '../../scheduler/worker-facts.types.js';

/** Reported properties of a host. */
export interface HardwareInput {
  readonly cpuVendor?: Maybe<string>;
  readonly cpuModel?: Maybe<string>;
  readonly architecture: string;
  readonly architectureLevel?: Maybe<string>;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly containerRuntimes?: Maybe<readonly string[]>;
  readonly hasNetwork?: Maybe<boolean>;
  readonly isolation?: Maybe<readonly PayloadIsolation[]>;
  readonly isNetworkIsolated?: Maybe<boolean>;
  readonly hasSystemCallFilter?: Maybe<boolean>;
  readonly processContainment?: Maybe<readonly ProcessContainment[]>;
}

/** Input of `registerWorker`. */
export interface RegisterInput {
  readonly queue: string;
  readonly host: string;
  readonly name: string;
  readonly hardware: HardwareInput;
  readonly labels?: Maybe<readonly StoredLabel[]>;
  readonly devices?: Maybe<readonly DeviceInput[]>;
  readonly endsAt?: Maybe<Date>;
  readonly batchJobId?: Maybe<string>;
  /** Jobs whose payloads still run on the host, by the fences of the earlier worker. */
  readonly jobs?: Maybe<readonly HeldJob[]>;
  readonly version: string;
  readonly idempotencyKey: string;
}

/** Adds all errors of a registration. */
export function checkRegistration(
  errors: InputErrors<WorkerErrorCode>,
  spec: RegisterInput,
  now: Date,
): void {
  errors.text(['host'], spec.host, 1, 255);
  errors.text(['name'], spec.name, 1, 255);
  errors.text(['version'], spec.version, 1, 64);
  errors.text(['idempotencyKey'], spec.idempotencyKey, 1, 200);
  checkOptionalText(errors, ['batchJobId'], spec.batchJobId, 128);
  checkHardware(errors, ['hardware'], spec.hardware);
  errors.labels(['labels'], spec.labels ?? [], workerLimits.labels);
  checkDevices(errors, ['devices'], spec.devices ?? []);
  errors.distinct(
    ['jobs'],
    (spec.jobs ?? []).map(({ id }) => id),
    workerLimits.heldJobs,
  );
  if (spec.endsAt && spec.endsAt <= now)
    errors.add(['endsAt'], spec.endsAt.toISOString(), 'a time in the future');
}

/** Adds all errors of the facts of a host. */
export function checkHardware(errors: InputErrors<WorkerErrorCode>, path: Path, spec: HardwareInput): void {
  errors.int([...path, 'cores'], spec.cores, 1, 4096);
  errors.int([...path, 'memoryMiB'], spec.memoryMiB, 1, 16_777_216);
  errors.int([...path, 'diskMiB'], spec.diskMiB, 0, 1_073_741_824);
  errors.form(
    [...path, 'architecture'],
    spec.architecture,
    /^[A-Za-z0-9_-]{1,32}$/,
    'a name such as x86_64 or aarch64',
  );
  checkOptionalText(errors, [...path, 'architectureLevel'], spec.architectureLevel, 32);
  checkOptionalText(errors, [...path, 'cpuVendor'], spec.cpuVendor, 128);
  checkOptionalText(errors, [...path, 'cpuModel'], spec.cpuModel, 255);
  const runtimes = spec.containerRuntimes ?? [];
  errors.distinct([...path, 'containerRuntimes'], runtimes, workerLimits.runtimes);
  errors.distinct([...path, 'isolation'], spec.isolation ?? [], workerLimits.isolation);
  errors.distinct([...path, 'processContainment'], spec.processContainment ?? [], workerLimits.isolation);
  runtimes.forEach((name, index) => errors.text([...path, 'containerRuntimes', index], name, 1, 64));
}

/** Stored form of a host, without unknown facts. */
export function storedHardware(spec: HardwareInput): StoredHardware {
  return {
    ...known({ cpuVendor: spec.cpuVendor, cpuModel: spec.cpuModel }),
    architecture: spec.architecture,
    ...known({ architectureLevel: spec.architectureLevel }),
    cores: spec.cores,
    memoryMiB: spec.memoryMiB,
    diskMiB: spec.diskMiB,
    containerRuntimes: [...(spec.containerRuntimes ?? [])].sort(),
    ...known({ network: spec.hasNetwork }),
    ...(spec.isolation?.length ? { isolation: [...spec.isolation].sort() } : {}),
    ...(spec.isNetworkIsolated === true ? { networkIsolation: true } : {}),
    ...(spec.hasSystemCallFilter === true ? { systemCallFilter: true } : {}),
    ...(spec.processContainment?.length ? { processContainment: [...spec.processContainment] } : {}),
  };
}
