import {
  numberIn,
  shareOfPercent,
  pciAddressOf,
  pciIdOf,
  knownValue,
  type DeviceHealth,
  type KnownFacts,
} from '../detected-device.js';

/** Fields of `--query-gpu`; drivers before 510 do not know `compute_cap` and refuse the whole query. */
export const queriedFields = [
  'index',
  'uuid',
  'name',
  'pci.bus_id',
  'pci.device_id',
  'memory.total',
  'memory.used',
  'utilization.gpu',
  'driver_version',
  'ecc.mode.current',
  'mig.mode.current',
  'compute_cap',
] as const;

type Field = (typeof queriedFields)[number];

/** A line of `nvidia-smi --query-gpu`. */
export interface QueriedGpu {
  readonly index: number | undefined;
  readonly uuid: string;
  readonly facts: KnownFacts;
  /** True in MIG mode; undefined if the driver does not show it. */
  readonly isMig: boolean | undefined;
}

/** Text that a field holds instead of its value if the device is broken, as `[GPU is lost]` or `ERR!`. */
const broken = /\[?(gpu is lost|gpu requires reset|unknown error)\]?|^ERR!$/i;

/** The arguments for some of the fields. */
export function queryArguments(fields: readonly Field[]): readonly string[] {
  return [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
}

/** The field that the driver does not know, from the tool's message; undefined for other messages. */
export function unknownField(answer: string): Field | undefined {
  const name = /Field "([^"]+)" is not a valid field/.exec(answer)?.[1];
  return queriedFields.find((field) => field === name);
}

/**
 * Reads the lines of `nvidia-smi --query-gpu=… --format=csv,noheader,nounits`. Lines of another form are
 * ignored.
 */
export function parseSmiQuery(text: string, fields: readonly Field[]): readonly QueriedGpu[] {
  return text.split('\n').flatMap((line) => {
    const values = line.split(',').map((value) => value.trim());
    if (values.length !== fields.length) return [];
    const field = (name: Field): string | undefined => {
      const at = fields.indexOf(name);
      return at < 0 ? undefined : values[at];
    };
    const uuid = knownValue(field('uuid'));
    if (uuid === undefined || !isGpuUuid(uuid)) return [];
    const isMig = isEnabled(field('mig.mode.current'));
    return [{ index: numberIn(field('index')), uuid, facts: factsOf(field, values), isMig }];
  });
}

function factsOf(field: (name: Field) => string | undefined, values: readonly string[]): KnownFacts {
  const isBroken = values.some((value) => broken.test(value));
  const capability = knownValue(field('compute_cap'));
  return known({
    model: knownValue(field('name')),
    pciAddress: pciAddressOf(field('pci.bus_id')),
    // Device and vendor in one number: 0x20B210DE.
    pciId: pciIdOf('10de', /^(?:0x)?([0-9a-f]{4})10de$/i.exec(field('pci.device_id') ?? '')?.[1]),
    memoryMiB: numberIn(field('memory.total')),
    memoryUsedMiB: numberIn(field('memory.used')),
    utilisation: shareOfPercent(numberIn(field('utilization.gpu'))),
    driverVersion: knownValue(field('driver_version')),
    eccEnabled: isEnabled(field('ecc.mode.current')),
    computeCapability: capability !== undefined && /^\d+\.\d+$/.test(capability) ? capability : undefined,
    health: (isBroken ? 'UNHEALTHY' : 'HEALTHY') as DeviceHealth,
  });
}

/**
 * UUID of a GPU that is present: for a lost one, the field holds a message. UUIDs of integrated GPUs have no
 * prefix.
 */
export function isGpuUuid(text: string): boolean {
  return /^GPU-[0-9a-f-]+$|^[0-9a-f]{8}-[0-9a-f-]+$/i.test(text);
}

/** `Enabled` or `Disabled`; undefined for anything else. */
export function isEnabled(text: string | null | undefined): boolean | undefined {
  if (text?.trim() === 'Enabled') return true;
  return text?.trim() === 'Disabled' ? false : undefined;
}

function known(facts: { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined }): KnownFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as KnownFacts;
}
