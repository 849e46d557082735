import { DomainError } from '@rhizome/errors';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { Evidence, type FoundDevice } from './device-facts.js';

const version = z.string().regex(/^\d+(\.\d+){0,3}$/, 'expected a version such as 12.4');

/** A device of a fleet file: the facts that a tool would tell. What is left out is unknown. */
const deviceSchema = z.strictObject({
  vendor: z.enum(['NVIDIA', 'AMD', 'INTEL']),
  model: z.string().min(1).max(128),
  id: z.string().min(1).max(100).optional(),
  /** So many devices like this; their ids get numbers. */
  count: z.int().min(1).max(64).default(1),
  memoryMiB: z.int().min(1).optional(),
  computeCapability: version.optional(),
  driverVersion: z.string().min(1).max(64).optional(),
  cudaVersion: version.optional(),
  migProfile: z.string().min(1).max(64).optional(),
  parentId: z.string().min(1).max(100).optional(),
  health: z.enum(['HEALTHY', 'UNHEALTHY', 'UNKNOWN']).default('HEALTHY'),
  pciId: z
    .string()
    .regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/)
    .optional(),
  pciAddress: z
    .string()
    .regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/)
    .optional(),
  brand: z.string().min(1).max(64).optional(),
  gfxTarget: z
    .string()
    .regex(/^gfx[0-9a-f]+$/)
    .optional(),
  rocmVersion: version.optional(),
  eccEnabled: z.boolean().optional(),
  nvlinkGroup: z.string().min(1).max(64).optional(),
  partitionMode: z.string().min(1).max(64).optional(),
  utilisation: z.number().min(0).max(1).optional(),
  memoryUsedMiB: z.int().min(0).optional(),
});

const fleetSchema = z.strictObject({ devices: z.array(deviceSchema).max(256) });

/**
 * The devices of a fleet file: JSON with `devices`, whose fields are those of the API's `DeviceInput`, and `count`. The file is read
 * again at each look, so that a device turns bad by an edit.
 * @throws DomainError CONFIG_INVALID that names the file and the place in it
 */
export async function readFleetFile(path: string): Promise<readonly FoundDevice[]> {
  const devices = await parse(path);
  const source = `simulated by ${basename(path)}`;
  return devices.flatMap(({ count, id, vendor, ...facts }, place) =>
    Array.from({ length: count }, (_, index) => {
      const own = id ?? `SIMULATED-${place}`;
      const name = count === 1 ? own : `${own}-${index}`;
      return new Evidence(vendor).tell(source, facts).device(name, name);
    }),
  );
}

async function parse(path: string): Promise<z.infer<typeof fleetSchema>['devices']> {
  try {
    const { devices } = fleetSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    assertDistinct(devices);
    return devices;
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new DomainError(
      'CONFIG_INVALID',
      `the file of a simulated fleet ${path} is not one: ${why}`,
      { value: path },
      { cause: error },
    );
  }
}

function assertDistinct(devices: z.infer<typeof fleetSchema>['devices']): void {
  const ids = devices.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new Error(`the id ${JSON.stringify(twice)} is used twice`);
}
