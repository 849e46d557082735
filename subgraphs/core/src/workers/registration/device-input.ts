/** Validates the devices that workers report, and converts them to their stored form. */
import type { InputErrors } from '@rhizome/errors';
import { known, type Maybe, type Path, checkOptionalText } from './optional-inputs.js';
import { workerLimits } from '../worker.document.js';
import type { DeviceUse } from '../worker.types.js';
import type { WorkerErrorCode } from '../worker-errors.js';
import type { DeviceHealth, DeviceDocument, DeviceFactSource } from '../../gpus/device.types.js';

/** Reported use of a device. */
export interface DeviceUseInput {
  readonly id: string;
  readonly utilisation?: Maybe<number>;
  readonly memoryUsedMiB?: Maybe<number>;
}

/** A reported device. */
export interface DeviceInput extends DeviceUseInput {
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
  readonly isEccEnabled?: Maybe<boolean>;
  readonly nvlinkGroup?: Maybe<string>;
  readonly partitionMode?: Maybe<string>;
  readonly sources?: Maybe<readonly DeviceFactSource[]>;
}

const vendors = ['NVIDIA', 'AMD', 'INTEL'];
const version = /^\d+(\.\d+){0,3}$/;
const pciId = /^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}$/;
const gfxTarget = /^gfx[0-9a-f]{3,5}$/;

/** Adds all errors of a list of devices. */
export function checkDevices(
  errors: InputErrors<WorkerErrorCode>,
  path: Path,
  devices: readonly DeviceInput[],
): void {
  if (devices.length > workerLimits.devices) {
    errors.add(path, `${devices.length} devices`, `at most ${workerLimits.devices} devices`);
    return;
  }
  const byId = new Map(devices.map((device) => [device.id, device]));
  const seen = new Set<string>();
  devices.forEach((device, index) => {
    const at = (field: string): Path => [...path, index, field];
    errors.text(at('id'), device.id, 1, 128);
    if (seen.has(device.id)) errors.add(at('id'), device.id, 'unique');
    seen.add(device.id);
    if (!vendors.includes(device.vendor)) errors.add(at('vendor'), device.vendor, vendors.join(', '));
    errors.text(at('model'), device.model, 1, 128);
    errors.int(at('memoryMiB'), device.memoryMiB, 1, 16_777_216);
    checkVersions(errors, at, device);
    checkOptionalText(errors, at('migProfile'), device.migProfile, 64);
    checkParent(errors, at('parentId'), device, byId);
    checkDeviceDetails(errors, at, device);
  });
}

function checkVersions(
  errors: InputErrors<WorkerErrorCode>,
  at: (field: string) => Path,
  { computeCapability, cudaVersion, rocmVersion, driverVersion }: DeviceInput,
): void {
  form(errors, at('computeCapability'), computeCapability, version, 'a version such as 9.0');
  form(errors, at('cudaVersion'), cudaVersion, version, 'a version such as 12.4');
  form(errors, at('rocmVersion'), rocmVersion, version, 'a version such as 6.2');
  // Drivers have many version schemes; text without a digit is what tools print for an unknown version.
  if (driverVersion != null && !/\d/.test(driverVersion))
    errors.add(at('driverVersion'), driverVersion, 'a version such as 550.54.15, left out when unknown');
  else checkOptionalText(errors, at('driverVersion'), driverVersion, 64);
}

/** A slice is a part of a device that is not a slice itself; that device need not be reported. */
function checkParent(
  errors: InputErrors<WorkerErrorCode>,
  path: Path,
  { id, parentId }: DeviceInput,
  byId: ReadonlyMap<string, DeviceInput>,
): void {
  if (parentId == null) return;
  if (parentId === id) errors.add(path, parentId, 'the device that it is a part of, not itself');
  else if (byId.get(parentId)?.parentId != null)
    errors.add(path, parentId, 'a whole device; that one is a part itself');
  else errors.text(path, parentId, 1, 128);
}

/** Checks an optional text against a pattern. */
function form(
  errors: InputErrors<WorkerErrorCode>,
  path: Path,
  value: string | null | undefined,
  pattern: RegExp,
  expected: string,
): void {
  if (value != null) errors.form(path, value, pattern, expected);
}

function checkDeviceDetails(
  errors: InputErrors<WorkerErrorCode>,
  at: (field: string) => Path,
  device: DeviceInput,
): void {
  form(errors, at('pciId'), device.pciId, pciId, 'vendor and device as 10de:20b2');
  form(errors, at('gfxTarget'), device.gfxTarget, gfxTarget, 'an LLVM target such as gfx90a');
  for (const field of ['pciAddress', 'brand', 'nvlinkGroup', 'partitionMode'] as const)
    checkOptionalText(errors, at(field), device[field], 64);
  checkUse(errors, at, device);
  const sources = device.sources ?? [];
  errors.distinct(
    at('sources'),
    sources.map(({ fact }) => fact),
    workerLimits.factSources,
  );
  sources.forEach(({ fact, source }, index) => {
    errors.text([...at('sources'), index, 'fact'], fact, 1, 64);
    errors.text([...at('sources'), index, 'source'], source, 1, 128);
  });
}

/** Adds all errors of reported device use; reported together with devices it would be redundant. */
export function checkDeviceUse(
  errors: InputErrors<WorkerErrorCode>,
  path: Path,
  use: readonly DeviceUseInput[],
  hasDevices: boolean,
): void {
  if (hasDevices)
    errors.add(path, `${use.length} entries`, 'absent where devices are given: they contain it');
  if (use.length > workerLimits.devices) {
    errors.add(path, `${use.length} devices`, `at most ${workerLimits.devices} devices`);
    return;
  }
  const seen = new Set<string>();
  use.forEach((device, index) => {
    const at = (field: string): Path => [...path, index, field];
    errors.text(at('id'), device.id, 1, 128);
    if (seen.has(device.id)) errors.add(at('id'), device.id, 'unique');
    seen.add(device.id);
    checkUse(errors, at, device);
  });
}

function checkUse(
  errors: InputErrors<WorkerErrorCode>,
  at: (field: string) => Path,
  { utilisation, memoryUsedMiB }: DeviceUseInput,
): void {
  errors.number(at('utilisation'), utilisation, { min: 0, max: 1 });
  errors.int(at('memoryUsedMiB'), memoryUsedMiB, 0, 16_777_216);
}

/** Stored form of devices by id, without unknown facts and without their use. */
export function storedDevices(devices: readonly DeviceInput[]): readonly DeviceDocument[] {
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

/** Picks the facts by name, so that nothing else in an input is stored. */
function storedFacts(spec: Omit<DeviceInput, 'id' | 'vendor' | 'model' | 'health' | 'sources' | 'pciId'>) {
  const { memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, parentId } = spec;
  const { pciAddress, brand, gfxTarget, rocmVersion, nvlinkGroup, partitionMode } = spec;
  return {
    ...{ memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, parentId },
    ...{
      pciAddress,
      brand,
      gfxTarget,
      rocmVersion,
      eccEnabled: spec.isEccEnabled,
      nvlinkGroup,
      partitionMode,
    },
  };
}

/** Use of the devices for which it was reported. */
export function deviceUseOf(devices: readonly DeviceUseInput[]): readonly DeviceUse[] {
  return devices
    .filter(({ utilisation, memoryUsedMiB }) => utilisation != null || memoryUsedMiB != null)
    .map(({ id, utilisation, memoryUsedMiB }) => ({ id, ...known({ utilisation, memoryUsedMiB }) }));
}
