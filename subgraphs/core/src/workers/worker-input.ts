/** Checks what workers say of themselves, and brings it into its stored form. */
import type { Problems } from '../directory/problems.js';
import { workerLimits } from './worker.document.js';
import type {
  DeviceHealth,
  DeviceUse,
  StoredDevice,
  StoredFactSource,
  StoredHardware,
  StoredLabel,
} from './worker.types.js';
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
  readonly pciId?: Maybe<string>;
  readonly pciAddress?: Maybe<string>;
  readonly brand?: Maybe<string>;
  readonly gfxTarget?: Maybe<string>;
  readonly rocmVersion?: Maybe<string>;
  readonly eccEnabled?: Maybe<boolean>;
  readonly nvlinkGroup?: Maybe<string>;
  readonly partitionMode?: Maybe<string>;
  readonly utilisation?: Maybe<number>;
  readonly memoryUsedMiB?: Maybe<number>;
  readonly sources?: Maybe<readonly StoredFactSource[]>;
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
    checkDeviceDetails(problems, at, device);
  });
}

function checkDeviceDetails(
  problems: Problems<WorkerErrorCode>,
  at: (field: string) => Path,
  device: DeviceSpec,
): void {
  if (device.pciId)
    problems.form(
      at('pciId'),
      device.pciId,
      /^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}$/,
      'vendor and device as 10de:20b2',
    );
  if (device.gfxTarget)
    problems.form(at('gfxTarget'), device.gfxTarget, /^gfx[0-9a-f]{3,5}$/, 'an LLVM target such as gfx90a');
  if (device.rocmVersion)
    problems.form(at('rocmVersion'), device.rocmVersion, version, 'a version such as 6.2');
  for (const field of ['pciAddress', 'brand', 'nvlinkGroup', 'partitionMode'] as const) {
    const value = device[field];
    if (value) problems.text(at(field), value, 1, 64);
  }
  if (device.utilisation != null && !(device.utilisation >= 0 && device.utilisation <= 1))
    problems.invalid(at('utilisation'), device.utilisation, 'a number from 0 to 1');
  problems.whole(at('memoryUsedMiB'), device.memoryUsedMiB, 0, 16_777_216);
  const sources = device.sources ?? [];
  problems.distinct(
    at('sources'),
    sources.map(({ fact }) => fact),
    workerLimits.factSources,
  );
  sources.forEach(({ fact, source }, index) => {
    problems.text([...at('sources'), index, 'fact'], fact, 1, 64);
    problems.text([...at('sources'), index, 'source'], source, 1, 128);
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

/** The stored form, by id; what is not known is left out, and so is what is in use. */
export function storedDevices(devices: readonly DeviceSpec[]): readonly StoredDevice[] {
  const stored = devices.map(
    ({
      id,
      vendor,
      model,
      health,
      utilisation: _utilisation,
      memoryUsedMiB: _used,
      sources,
      pciId,
      ...facts
    }) => ({
      id,
      vendor,
      model,
      ...known(storedFacts(facts)),
      ...known({ pciId: pciId?.toLowerCase() }),
      ...(sources && sources.length > 0
        ? { sources: sources.map(({ fact, source }) => ({ fact, source })) }
        : {}),
      health: health ?? ('UNKNOWN' as const),
    }),
  );
  return stored.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The facts by name: nothing else that an input may carry is stored. */
function storedFacts(spec: Omit<DeviceSpec, 'id' | 'vendor' | 'model' | 'health' | 'sources' | 'pciId'>) {
  const { memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, parentId } = spec;
  const { pciAddress, brand, gfxTarget, rocmVersion, eccEnabled, nvlinkGroup, partitionMode } = spec;
  return {
    ...{ memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, parentId },
    ...{ pciAddress, brand, gfxTarget, rocmVersion, eccEnabled, nvlinkGroup, partitionMode },
  };
}

/** What of the devices is in use, for those of which the report told it. */
export function deviceUseOf(devices: readonly DeviceSpec[]): readonly DeviceUse[] {
  return devices
    .filter(({ utilisation, memoryUsedMiB }) => utilisation != null || memoryUsedMiB != null)
    .map(({ id, utilisation, memoryUsedMiB }) => ({ id, ...known({ utilisation, memoryUsedMiB }) }));
}

type Known<T> = { [K in keyof T]?: NonNullable<T[K]> };

function known<T extends object>(facts: T): Known<T> {
  return Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined && value !== null),
  ) as Known<T>;
}
