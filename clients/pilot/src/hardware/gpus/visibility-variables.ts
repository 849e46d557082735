import type { DetectedDevice, Vendor } from './detected-device.js';

/** Each vendor's variable that says which devices a process sees. */
export const visibilityVariables: Readonly<Record<Vendor, string>> = {
  NVIDIA: 'CUDA_VISIBLE_DEVICES',
  AMD: 'ROCR_VISIBLE_DEVICES',
  INTEL: 'ZE_AFFINITY_MASK',
};

/**
 * What hides all devices of a vendor from a payload. CUDA and ROCm show nothing for an empty value; Level Zero shows everything, and
 * nothing for a number that no card has.
 */
const nothing: Readonly<Record<Vendor, string>> = { NVIDIA: '', AMD: '', INTEL: '10000' };

/**
 * What a payload's environment says about devices: those that it was given, by vendor. Of a vendor of which it got none it sees nothing,
 * so that a payload sees no device that is another's. A device that cannot be named is not seen.
 */
export function visibleDevices(given: readonly DetectedDevice[]): Record<string, string> {
  const entries = Object.entries(visibilityVariables) as [Vendor, string][];
  const words = Object.fromEntries(
    entries.map(([vendor, variable]) => [variable, wordsFor(vendor, given).join(',') || nothing[vendor]]),
  );
  return hasDevicesOf('INTEL', words) ? { ...words, ...levelZeroNumbers } : words;
}

function wordsFor(vendor: Vendor, given: readonly DetectedDevice[]): readonly string[] {
  return given.flatMap((device) => (device.vendor === vendor ? (device.visibleAs ?? []) : []));
}

/** Whether an environment of {@link visibleDevices} shows any device of a vendor. */
export function hasDevicesOf(vendor: Vendor, environment: Readonly<Record<string, string>>): boolean {
  const word = environment[visibilityVariables[vendor]] ?? '';
  return word !== '' && word !== nothing[vendor];
}

/** What makes a number in `ZE_AFFINITY_MASK` mean what it means to `xpu-smi`: whole cards, counted by their place on the bus. */
const levelZeroNumbers = {
  ZE_ENABLE_PCI_ID_DEVICE_ORDER: '1',
  ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE',
} as const;
