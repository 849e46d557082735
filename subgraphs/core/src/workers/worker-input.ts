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
const pciId = /^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}$/;
const gfxTarget = /^gfx[0-9a-f]{3,5}$/;
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
  told(problems, [...path, 'architectureLevel'], spec.architectureLevel, 32);
  told(problems, [...path, 'cpuVendor'], spec.cpuVendor, 128);
  told(problems, [...path, 'cpuModel'], spec.cpuModel, 255);
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
  if (devices.length > workerLimits.devices) {
    problems.invalid(path, `${devices.length} devices`, `at most ${workerLimits.devices} devices`);
    return;
  }
  const byId = new Map(devices.map((device) => [device.id, device]));
  const seen = new Set<string>();
  devices.forEach((device, index) => {
    const at = (field: string): Path => [...path, index, field];
    problems.text(at('id'), device.id, 1, 128);
    if (seen.has(device.id)) problems.invalid(at('id'), device.id, 'each device once');
    seen.add(device.id);
    if (!vendors.includes(device.vendor)) problems.invalid(at('vendor'), device.vendor, vendors.join(', '));
    problems.text(at('model'), device.model, 1, 128);
    problems.whole(at('memoryMiB'), device.memoryMiB, 1, 16_777_216);
    checkVersions(problems, at, device);
    told(problems, at('migProfile'), device.migProfile, 64);
    checkParent(problems, at('parentId'), device, byId);
    checkDeviceDetails(problems, at, device);
  });
}

function checkVersions(
  problems: Problems<WorkerErrorCode>,
  at: (field: string) => Path,
  { computeCapability, cudaVersion, rocmVersion, driverVersion }: DeviceSpec,
): void {
  form(problems, at('computeCapability'), computeCapability, version, 'a version such as 9.0');
  form(problems, at('cudaVersion'), cudaVersion, version, 'a version such as 12.4');
  form(problems, at('rocmVersion'), rocmVersion, version, 'a version such as 6.2');
  // Drivers number themselves in many ways; a word without a number is what tools say for what they do not know.
  if (driverVersion != null && !/\d/.test(driverVersion))
    problems.invalid(
      at('driverVersion'),
      driverVersion,
      'a version such as 550.54.15, left out when unknown',
    );
  else told(problems, at('driverVersion'), driverVersion, 64);
}

/** A slice is a part of a device that is itself no part; that device need not be reported. */
function checkParent(
  problems: Problems<WorkerErrorCode>,
  path: Path,
  { id, parentId }: DeviceSpec,
  byId: ReadonlyMap<string, DeviceSpec>,
): void {
  if (parentId == null) return;
  if (parentId === id) problems.invalid(path, parentId, 'the device that it is a part of, not itself');
  else if (byId.get(parentId)?.parentId != null)
    problems.invalid(path, parentId, 'a whole device; that one is a part itself');
  else problems.text(path, parentId, 1, 128);
}

/** A text that may be left out; an empty one is no way to say so. */
function told(
  problems: Problems<WorkerErrorCode>,
  path: Path,
  value: string | null | undefined,
  max: number,
): void {
  if (value != null) problems.text(path, value, 1, max);
}

/** A text of a form that may be left out. */
function form(
  problems: Problems<WorkerErrorCode>,
  path: Path,
  value: string | null | undefined,
  pattern: RegExp,
  expected: string,
): void {
  if (value != null) problems.form(path, value, pattern, expected);
}

function checkDeviceDetails(
  problems: Problems<WorkerErrorCode>,
  at: (field: string) => Path,
  device: DeviceSpec,
): void {
  form(problems, at('pciId'), device.pciId, pciId, 'vendor and device as 10de:20b2');
  form(problems, at('gfxTarget'), device.gfxTarget, gfxTarget, 'an LLVM target such as gfx90a');
  for (const field of ['pciAddress', 'brand', 'nvlinkGroup', 'partitionMode'] as const)
    told(problems, at(field), device[field], 64);
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
