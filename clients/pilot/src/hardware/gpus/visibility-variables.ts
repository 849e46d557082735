import type { DetectedDevice, Vendor } from './detected-device.js';

/** Each vendor's variable that restricts the devices of a process. */
export const visibilityVariables: Readonly<Record<Vendor, string>> = {
  NVIDIA: 'CUDA_VISIBLE_DEVICES',
  AMD: 'ROCR_VISIBLE_DEVICES',
  INTEL: 'ZE_AFFINITY_MASK',
};

/**
 * Value that hides all devices of a vendor from a payload. CUDA and ROCm show nothing for an empty value;
 * Level Zero shows everything for it, and nothing for a number that no card has.
 */
const nothing: Readonly<Record<Vendor, string>> = { NVIDIA: '', AMD: '', INTEL: '10000' };

/**
 * Variables that show a payload its own devices, by vendor, and hide all devices of other vendors and jobs. A
 * device that cannot be named is not visible.
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

/** True if an environment of {@link visibleDevices} shows any device of a vendor. */
export function hasDevicesOf(vendor: Vendor, environment: Readonly<Record<string, string>>): boolean {
  const word = environment[visibilityVariables[vendor]] ?? '';
  return word !== '' && word !== nothing[vendor];
}

/**
 * Variables that give numbers in `ZE_AFFINITY_MASK` the meaning they have in `xpu-smi`: whole cards, counted
 * by bus address.
 */
const levelZeroNumbers = {
  ZE_ENABLE_PCI_ID_DEVICE_ORDER: '1',
  ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE',
} as const;
