/** Format of the file of a simulated fleet. */
import { DomainError, formatValue } from '@rhizome/errors';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { pciAddressOf } from './detected-device.js';

/** Largest number of devices and largest memory of a host that the API accepts. */
const mostDevices = 256;
const mostMiB = 16_777_216;

/** A schema whose errors all say what would be valid. */
const whole = (least: number, most: number) => {
  const expected = `a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
};
const text = (most: number) => {
  const expected = `1 to ${most} characters, printable, without blanks at its ends`;
  const isRight = (value: string): boolean =>
    value.length >= 1 && value.length <= most && value.trim() === value && !/\p{Cc}/u.test(value);
  return z.string(expected).refine(isRight, expected);
};
const form = (pattern: RegExp, expected: string) => z.string(expected).regex(pattern, expected);
const version = (example: string) =>
  form(/^\d+(\.\d+){0,3}$/, `a version such as "${example}", left out when unknown`);
const flag = z.boolean('true or false');
const part = 'a number from 0 to 1';
const pciAddress = 'a place on the bus such as "0000:07:00.0"';

/** A device of a fleet file: the facts that a tool would report. Omitted facts are unknown. */
const deviceSchema = z.strictObject({
  vendor: z.enum(['NVIDIA', 'AMD', 'INTEL'], '"NVIDIA", "AMD" or "INTEL"'),
  model: text(128),
  id: text(100).optional(),
  /** Number of devices like this one; their ids get numbers. */
  count: whole(1, 64).default(1),
  memoryMiB: whole(1, mostMiB).optional(),
  computeCapability: version('9.0').optional(),
  driverVersion: form(
    /^(?=.*\d)\S(.{0,62}\S)?$/,
    'a version such as "550.54.15", left out when unknown',
  ).optional(),
  cudaVersion: version('12.4').optional(),
  migProfile: text(64).optional(),
  parentId: text(100).optional(),
  health: z
    .enum(['HEALTHY', 'UNHEALTHY', 'UNKNOWN'], '"HEALTHY", "UNHEALTHY" or "UNKNOWN"')
    .default('HEALTHY'),
  pciId: form(/^[0-9a-f]{4}:[0-9a-f]{4}$/i, 'vendor and device as "10de:20b2"')
    .toLowerCase()
    .optional(),
  pciAddress: z
    .string(pciAddress)
    .refine((value) => pciAddressOf(value) !== undefined, pciAddress)
    .transform(pciAddressOf)
    .optional(),
  brand: text(64).optional(),
  gfxTarget: form(/^gfx[0-9a-f]{3,5}$/, 'an LLVM target such as "gfx90a"').optional(),
  rocmVersion: version('6.2').optional(),
  eccEnabled: flag.optional(),
  nvlinkGroup: text(64).optional(),
  partitionMode: text(64).optional(),
  utilisation: z.number(part).min(0, part).max(1, part).optional(),
  memoryUsedMiB: whole(0, mostMiB).optional(),
});

const fleetSchema = z.strictObject(
  { devices: z.array(deviceSchema, 'a list of devices') },
  { error: ({ code }) => (code === 'unrecognized_keys' ? undefined : 'an object with "devices"') },
);

type Entry = z.infer<typeof deviceSchema>;

/** One device of the file, with its own id. */
export interface FleetDevice {
  readonly id: string;
  readonly vendor: Entry['vendor'];
  readonly facts: Omit<Entry, 'id' | 'vendor' | 'count'>;
}

/**
 * Reads a fleet file.
 * @throws DomainError CONFIG_INVALID that names the file and each error: field, value, and what would be
 *   valid
 */
export async function parseFleetFile(path: string): Promise<readonly FleetDevice[]> {
  const content = await contentOf(path);
  const parsed = fleetSchema.safeParse(content);
  if (!parsed.success)
    throw invalid(
      path,
      parsed.error.issues.flatMap((issue) => faultsOf(issue, content)),
    );
  const { devices } = parsed.data;
  const expanded = devices.map(expand);
  const faults = [...idFaults(expanded), ...parentFaults(devices, expanded)];
  if (faults.length > 0) throw invalid(path, faults);
  return expanded.flat();
}

function expand({ count, id, vendor, ...facts }: Entry, place: number): readonly FleetDevice[] {
  const own = id ?? `SIMULATED-${place}`;
  return Array.from({ length: count }, (_, index) => ({
    id: count === 1 ? own : `${own}-${index}`,
    vendor,
    facts,
  }));
}

async function contentOf(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw invalid(path, [(error as Error).message], error);
  }
}

function invalid(path: string, faults: readonly string[], cause?: unknown): DomainError {
  const lines = faults.length === 1 ? ` ${faults[0]}` : faults.map((fault) => `\n  - ${fault}`).join('');
  return new DomainError(
    'CONFIG_INVALID',
    `Simulated fleet ${path} is invalid:${lines}`,
    { value: path },
    { cause },
  );
}

function faultsOf(issue: z.core.$ZodIssue, content: unknown): readonly string[] {
  if (issue.code !== 'unrecognized_keys')
    return [notValid(issue.path, valueAt(content, issue.path), issue.message)];
  const fields = issue.path.length === 0 ? ['devices'] : Object.keys(deviceSchema.shape);
  return issue.keys.map(
    (key) => `${placeOf([...issue.path, key])}: there is no such field; expected ${fields.join(', ')}`,
  );
}

const placeOf = (path: readonly PropertyKey[]): string => path.map(String).join('.') || 'the whole';

const notValid = (path: readonly PropertyKey[], value: unknown, expected: string): string =>
  `${placeOf(path)}: ${formatValue(value)} is not valid; must be ${expected}`;

function valueAt(content: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], content);
}

/** Refuses duplicate ids, including those that `count` creates and those of devices without an id. */
function idFaults(expanded: readonly (readonly FleetDevice[])[]): readonly string[] {
  const all = expanded.flat().length;
  if (all > mostDevices) return [notValid(['devices'], `${all} devices`, `at most ${mostDevices} devices`)];
  const seen = new Set<string>();
  return expanded.flatMap((devices, place) => {
    const twice = devices.find(({ id }) => seen.has(id));
    devices.forEach(({ id }) => seen.add(id));
    return twice ? [notValid(['devices', place, 'id'], twice.id, 'each device once')] : [];
  });
}

/** Refuses slices of slices. The device that a slice belongs to need not be in the file. */
function parentFaults(
  entries: readonly Entry[],
  expanded: readonly (readonly FleetDevice[])[],
): readonly string[] {
  const byId = new Map(expanded.flat().map((device) => [device.id, device]));
  const several = new Map(
    entries.flatMap(({ id, count }) => (id !== undefined && count > 1 ? [[id, count]] : [])),
  );
  return entries.flatMap(({ parentId }, place) => {
    if (parentId === undefined) return [];
    const fault = (expected: string): string[] => [
      notValid(['devices', place, 'parentId'], parentId, expected),
    ];
    if (expanded[place]?.some(({ id }) => id === parentId))
      return fault('the device that it is a part of, not itself');
    if (byId.get(parentId)?.facts.parentId !== undefined)
      return fault('a whole device; that one is a part itself');
    const count = several.get(parentId);
    return count === undefined || byId.has(parentId)
      ? []
      : fault(
          `one of the ${count} devices that it stands for, "${parentId}-0" to "${parentId}-${count - 1}"`,
        );
  });
}
