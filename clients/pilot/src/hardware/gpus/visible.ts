import type { FoundDevice, Vendor } from './device-facts.js';

/** Each vendor's variable that says which devices a process sees. */
const visibilityVariables: Readonly<Record<Vendor, string>> = {
  NVIDIA: 'CUDA_VISIBLE_DEVICES',
  AMD: 'ROCR_VISIBLE_DEVICES',
  INTEL: 'ZE_AFFINITY_MASK',
};

/** Values of those variables; a variable that is not set restricts nothing. */
export type VisibilityWords = { readonly [Name in Vendor]?: string | undefined };

/** The variables as an environment has them. */
export function visibilityIn(env: NodeJS.ProcessEnv): VisibilityWords {
  return Object.fromEntries(
    Object.entries(visibilityVariables).map(([vendor, variable]) => [vendor, env[variable]]),
  );
}

/**
 * What a payload's environment says about devices: those that it was given, by vendor. A vendor of which it got none has an empty value,
 * so that a payload sees no device that is another's. A device that cannot be named is not seen.
 */
export function visibleDevices(given: readonly FoundDevice[]): Record<string, string> {
  const words = Object.fromEntries(
    Object.entries(visibilityVariables).map(([vendor, variable]) => {
      const own = given.filter((device) => device.vendor === vendor).map(({ visibleAs }) => visibleAs);
      return [variable, own.filter((word) => word !== null).join(',')];
    }),
  );
  return given.some(({ vendor }) => vendor === 'INTEL') ? { ...words, ...levelZeroNumbers } : words;
}

/** What makes a number in `ZE_AFFINITY_MASK` mean what it means to `xpu-smi`: whole cards, counted by their place on the bus. */
const levelZeroNumbers = {
  ZE_ENABLE_PCI_ID_DEVICE_ORDER: '1',
  ZE_FLAT_DEVICE_HIERARCHY: 'COMPOSITE',
} as const;

/**
 * The devices that a pilot may offer: a batch system that gave it some of a host's devices says so in these variables, by number, by
 * UUID, or by the beginning of a UUID. As for the vendors' libraries, what follows a word that names no device is not seen.
 */
export function offeredDevices(
  devices: readonly FoundDevice[],
  words: VisibilityWords,
): readonly FoundDevice[] {
  return devices.filter((device) => {
    const list = words[device.vendor];
    return list === undefined || chosen(devices, device.vendor, list).includes(device);
  });
}

function chosen(devices: readonly FoundDevice[], vendor: Vendor, list: string): readonly FoundDevice[] {
  const own = devices.filter((device) => device.vendor === vendor);
  // A number counts what the vendor's library numbers: whole devices of NVIDIA, so that the slices of one share it; each part of AMD's.
  const wholes = [...new Set(own.map(numberedAs))];
  const found: FoundDevice[] = [];
  for (const word of list.split(',').map((one) => one.trim())) {
    const named = own.filter((device) => isNamed(device, word, wholes));
    if (named.length === 0) break;
    found.push(...named);
  }
  return found;
}

function numberedAs({ vendor, id, parentId }: FoundDevice): string {
  return vendor === 'NVIDIA' ? (parentId ?? id) : id;
}

function isNamed(device: FoundDevice, word: string, wholes: readonly string[]): boolean {
  if (word === '') return false;
  // Level Zero may name a tile, as `0.1`: the pilot gives out whole devices.
  const number = /^(\d+)(\.\d+)?$/.exec(word)?.[1];
  if (number !== undefined) {
    if (device.vendor !== 'NVIDIA' && device.visibleAs === number) return true;
    return wholes[Number(number)] === numberedAs(device);
  }
  return device.id.startsWith(word) || (device.parentId?.startsWith(word) ?? false);
}
