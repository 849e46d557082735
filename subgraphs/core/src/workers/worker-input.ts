/** Checks what workers say of themselves, and brings it into its stored form. */
import type { Problems } from '../directory/problems.js';
import { workerLimits } from './worker.document.js';
import type { DeviceHealth, StoredDevice, StoredHardware, StoredLabel } from './worker.types.js';
import type { WorkerErrorCode } from './worker-errors.js';

type Maybe<T> = T | null | undefined;

/** What a host is and has, as it comes. */
export interface HardwareSpec {
  readonly cpuVendor?: Maybe<string>;
  readonly cpuModel?: Maybe<string>;
  readonly architecture: string;
  readonly architectureLevel?: Maybe<string>;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly containerRuntimes?: Maybe<readonly string[]>;
  readonly network?: Maybe<boolean>;
}

/** A device as it comes. */
export interface DeviceSpec {
  readonly id: string;
  readonly vendor: string;
  readonly model: string;
  readonly memoryMiB?: Maybe<number>;
  readonly computeCapability?: Maybe<string>;
  readonly driverVersion?: Maybe<string>;
  readonly cudaVersion?: Maybe<string>;
  readonly migProfile?: Maybe<string>;
  readonly parentId?: Maybe<string>;
  readonly health?: Maybe<DeviceHealth>;
}

/** A worker that comes up. */
export interface RegisterSpec {
  readonly queue: string;
  readonly host: string;
  readonly name: string;
  readonly hardware: HardwareSpec;
  readonly labels?: Maybe<readonly StoredLabel[]>;
  readonly devices?: Maybe<readonly DeviceSpec[]>;
  readonly endsAt?: Maybe<Date>;
  readonly version: string;
  readonly idempotencyKey: string;
}

const vendors = ['NVIDIA', 'AMD', 'INTEL'];
const version = /^\d+(\.\d+){0,3}$/;
type Path = readonly (string | number)[];

/** Notes all faults of a registration. */
export function checkRegistration(problems: Problems<WorkerErrorCode>, spec: RegisterSpec, now: Date): void {
  problems.text(['host'], spec.host, 1, 255);
  problems.text(['name'], spec.name, 1, 255);
  problems.text(['version'], spec.version, 1, 64);
  problems.text(['idempotencyKey'], spec.idempotencyKey, 1, 200);
  checkHardware(problems, ['hardware'], spec.hardware);
  problems.labels(['labels'], spec.labels ?? [], workerLimits.labels);
  checkDevices(problems, ['devices'], spec.devices ?? []);
  if (spec.endsAt && spec.endsAt <= now)
    problems.invalid(['endsAt'], spec.endsAt.toISOString(), 'a time to come');
}

/** Notes all faults of a host's facts. */
export function checkHardware(problems: Problems<WorkerErrorCode>, path: Path, spec: HardwareSpec): void {
  problems.whole([...path, 'cores'], spec.cores, 1, 4096);
  problems.whole([...path, 'memoryMiB'], spec.memoryMiB, 1, 16_777_216);
  problems.whole([...path, 'diskMiB'], spec.diskMiB, 0, 1_073_741_824);
  problems.form(
    [...path, 'architecture'],
    spec.architecture,
    /^[A-Za-z0-9_-]{1,32}$/,
    'a word such as x86_64 or aarch64',
  );
  if (spec.architectureLevel) problems.text([...path, 'architectureLevel'], spec.architectureLevel, 1, 32);
  if (spec.cpuVendor) problems.text([...path, 'cpuVendor'], spec.cpuVendor, 1, 128);
  if (spec.cpuModel) problems.text([...path, 'cpuModel'], spec.cpuModel, 1, 255);
  const runtimes = spec.containerRuntimes ?? [];
  problems.distinct([...path, 'containerRuntimes'], runtimes, workerLimits.runtimes);
  runtimes.forEach((name, index) => problems.text([...path, 'containerRuntimes', index], name, 1, 64));
}

/** Notes all faults of a list of devices. */
export function checkDevices(
  problems: Problems<WorkerErrorCode>,
  path: Path,
  devices: readonly DeviceSpec[],
): void {
  problems.distinct(
    path,
    devices.map(({ id }) => id),
    workerLimits.devices,
  );
  const ids = new Set(devices.map(({ id }) => id));
  devices.forEach((device, index) => {
    const at = (field: string): Path => [...path, index, field];
    problems.text(at('id'), device.id, 1, 128);
    if (!vendors.includes(device.vendor)) problems.invalid(at('vendor'), device.vendor, vendors.join(', '));
    problems.text(at('model'), device.model, 1, 128);
    problems.whole(at('memoryMiB'), device.memoryMiB, 1, 16_777_216);
    if (device.computeCapability)
      problems.form(at('computeCapability'), device.computeCapability, version, 'a version such as 9.0');
    if (device.cudaVersion)
      problems.form(at('cudaVersion'), device.cudaVersion, version, 'a version such as 12.4');
    if (device.driverVersion) problems.text(at('driverVersion'), device.driverVersion, 1, 64);
    if (device.migProfile) problems.text(at('migProfile'), device.migProfile, 1, 64);
    if (device.parentId && !ids.has(device.parentId)) problems.text(at('parentId'), device.parentId, 1, 128);
  });
}

/** The stored form; what is not known is left out. */
export function storedHardware(spec: HardwareSpec): StoredHardware {
  return {
    ...known({ cpuVendor: spec.cpuVendor, cpuModel: spec.cpuModel }),
    architecture: spec.architecture,
    ...known({ architectureLevel: spec.architectureLevel }),
    cores: spec.cores,
    memoryMiB: spec.memoryMiB,
    diskMiB: spec.diskMiB,
    containerRuntimes: [...(spec.containerRuntimes ?? [])].sort(),
    ...known({ network: spec.network }),
  };
}

/** The stored form, by id; what is not known is left out. */
export function storedDevices(devices: readonly DeviceSpec[]): readonly StoredDevice[] {
  const stored = devices.map(
    ({
      id,
      vendor,
      model,
      memoryMiB,
      computeCapability,
      driverVersion,
      cudaVersion,
      migProfile,
      parentId,
      health,
    }) => ({
      id,
      vendor,
      model,
      ...known({ memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, parentId }),
      health: health ?? ('UNKNOWN' as const),
    }),
  );
  return stored.sort((a, b) => (a.id < b.id ? -1 : 1));
}

type Known<T> = { [K in keyof T]?: NonNullable<T[K]> };

function known<T extends object>(facts: T): Known<T> {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== null),
  ) as Known<T>;
}
