import { basename } from 'node:path';
import { Evidence, type DetectedDevice } from './detected-device.js';
import { parseFleetFile } from './fleet-file.js';

/**
 * The devices of a fleet file: JSON with `devices`, whose fields are those of the API's `DeviceInput`, and
 * `count`. Each probe reads the file again, so that an edit can make a device unhealthy.
 * @throws DomainError CONFIG_INVALID that names the file and the fields
 */
export async function readFleetFile(path: string): Promise<readonly DetectedDevice[]> {
  const devices = await parseFleetFile(path);
  const source = `simulated by ${basename(path)}`;
  return devices.map(({ id, vendor, facts }) => new Evidence(vendor).add(source, facts).device(id, id));
}
