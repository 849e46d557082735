/** Which devices, reported by several workers, are the same piece of hardware. */

/**
 * Ids that NVIDIA and AMD give to devices and their parts, ids made by Intel's tools, and bus addresses for
 * devices without an id.
 */
const forms = [
  /^(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  /^MIG-GPU-[0-9a-f-]{36}\/\d+\/\d+$/i,
  /^GPU-[0-9a-f]{16}(\/\d+)?$/i,
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  /^PCI-[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](\/\d+)?$/i,
];

/**
 * Identity of a host. Its name alone is not enough: a worker reports any name, and names repeat between
 * sites. The site is a property of the worker's queue, which no worker chooses.
 */
export const hostKey = (site: string, host: string): string => `${site}\n${host}`;

/**
 * Returns true if all workers of one host mean the same device by this id; other ids are local names of a
 * worker.
 */
export function namesOneDevice(id: string): boolean {
  return forms.some((form) => form.test(id));
}

/** Identity of a device: workers of one host share it if its id names one device, no others do. */
export function deviceKey(
  worker: { readonly id: string; readonly hostKey: string },
  deviceId: string,
): string {
  return `${namesOneDevice(deviceId) ? worker.hostKey : worker.id}\n${deviceId}`;
}
