import {
  numberIn,
  shareOfPercent,
  pciAddressOf,
  pciIdOf,
  knownValue,
  type KnownFacts,
} from '../detected-device.js';
import { at, fieldsIn, listIn, type Json } from '../tool-json.js';

/** A device of `xpu-smi`. */
export interface XpuDevice {
  /** Its number in the tool, and in Level Zero if no device is hidden. */
  readonly index: number;
  readonly uuid: string | undefined;
  readonly facts: { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };
  /** Reason why it is unhealthy; undefined if it is healthy. */
  readonly fault: string | undefined;
}

/** Reads `xpu-smi discovery -j`: the physical devices. */
export function parseXpuDiscovery(json: Json): readonly XpuDevice[] {
  return listIn(at(json, 'device_list')).flatMap((device) => {
    const index = numberIn(textAt(device, 'device_id'));
    const role = textAt(device, 'device_function_type') ?? textAt(device, 'function_type') ?? 'physical';
    if (index === undefined || !/^physical$/i.test(role)) return [];
    const fault = parseXpuState(device);
    return [{ index, uuid: knownValue(textAt(device, 'uuid')), facts: identityFacts(device), fault }];
  });
}

/** Reads `xpu-smi discovery -d ID -j`: one device in detail. */
export function parseXpuDetails(json: Json): XpuDevice['facts'] {
  const bytes = numberIn(textAt(json, 'memory_physical_size_byte'));
  const ecc = textAt(json, 'memory_ecc_state') ?? textAt(json, 'ecc_state');
  return {
    ...identityFacts(json),
    driverVersion: knownValue(textAt(json, 'driver_version')),
    memoryMiB:
      bytes === undefined ? numberIn(textAt(json, 'memory_physical_size')) : Math.floor(bytes / 2 ** 20),
    eccEnabled: ecc === 'enabled' ? true : ecc === 'disabled' ? false : undefined,
  };
}

/** Number of tiles of a device, from `xpu-smi discovery -d ID -j`. */
export function parseXpuTiles(json: Json): number | undefined {
  const tiles = numberIn(textAt(json, 'number_of_tiles'));
  return tiles !== undefined && tiles >= 1 ? tiles : undefined;
}

/** Reason why a device is unhealthy, from `xpu-smi discovery` since release 2; undefined if it shows none. */
function parseXpuState(json: Json): string | undefined {
  const state = knownValue(textAt(json, 'device_state'));
  return state === undefined || /^normal$/i.test(state) ? undefined : `it is in ${state}`;
}

/** Reads `xpu-smi stats -d ID -j`: adds the memory of tiles and averages their utilisation. */
export function parseXpuStats(json: Json): XpuDevice['facts'] {
  const device = listIn(json)[0] ?? json;
  const isNew = at(device, 'utilization') !== undefined || at(device, 'memory') !== undefined;
  const { used, busy } = isNew ? tileReadings(device) : metricReadings(device);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    memoryUsedMiB: used.length === 0 ? undefined : Math.floor(sum(used)),
    utilisation: busy.length === 0 ? undefined : shareOfPercent(sum(busy) / busy.length),
  };
}

interface Readings {
  readonly used: readonly number[];
  readonly busy: readonly number[];
}

/**
 * Since release 2 each reading has its tiles, as numbers or with the latest value next to mean and extremes.
 */
function tileReadings(device: Json): Readings {
  const readings = (...path: readonly string[]): readonly number[] =>
    fieldsIn(at(device, ...path)).flatMap(([, tile]) => {
      const value = at(tile, 'current') ?? tile;
      return typeof value === 'number' ? [value] : [];
    });
  return { used: readings('memory', 'used_mib'), busy: readings('utilization', 'gpu_percent') };
}

/** Before release 2, metrics are listed for the whole device or for its tiles. */
function metricReadings(device: Json): Readings {
  const whole = listIn(at(device, 'device_level'));
  const tiles = listIn(at(device, 'tile_level')).map((tile) => listIn(at(tile, 'data_list')));
  const values = (metric: string): readonly number[] => {
    const own = valueOf(whole, metric);
    return own === undefined
      ? tiles.map((tile) => valueOf(tile, metric)).filter((value) => value !== undefined)
      : [own];
  };
  return { used: values('XPUM_STATS_MEMORY_USED'), busy: values('XPUM_STATS_GPU_UTILIZATION') };
}

/**
 * Reads `xpu-smi health -d ID -j`: critical states as text; `well` if there are none; undefined if the tool
 * does not know, for example without permission.
 */
export function parseXpuHealth(json: Json): string | undefined {
  const reported = fieldsIn(json).flatMap(([name, component]) => {
    const status = knownValue(textAt(component, 'status'));
    return status === undefined ? [] : [{ name, component, status }];
  });
  const bad = reported.find(({ status }) => /critical/i.test(status));
  if (bad === undefined) return reported.length > 0 ? xpuWell : undefined;
  return `${bad.name} is critical: ${textAt(bad.component, 'description') ?? 'no reason given'}`;
}

/** Result of {@link parseXpuHealth} for a healthy device. */
export const xpuWell = 'well';

function valueOf(metrics: readonly Json[], type: string): number | undefined {
  const metric = metrics.find((one) => at(one, 'metrics_type') === type);
  return numberIn(textAt(metric, 'value') ?? textAt(metric, 'avg'));
}

function identityFacts(device: Json): XpuDevice['facts'] {
  return {
    model: knownValue(textAt(device, 'device_name')),
    pciAddress: pciAddressOf(textAt(device, 'pci_bdf_address')),
    pciId: pciIdOf('8086', textAt(device, 'pci_device_id')),
  };
}

function textAt(json: Json, key: string): string | undefined {
  const value = at(json, key);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
