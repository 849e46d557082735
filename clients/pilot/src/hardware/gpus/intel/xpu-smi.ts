import { numberIn, partOf, pciAddressOf, pciIdOf, wordIn, type KnownFacts } from '../device-facts.js';
import { at, fieldsIn, listIn, type Json } from '../json.js';

/** A device of `xpu-smi`. */
export interface XpuDevice {
  /** Its number in the tool, and in Level Zero where nothing is hidden. */
  readonly index: number;
  readonly uuid: string | undefined;
  readonly facts: { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };
}

/** Reads `xpu-smi discovery -j`: the physical devices. */
export function parseXpuDiscovery(json: Json): readonly XpuDevice[] {
  return listIn(at(json, 'device_list')).flatMap((device) => {
    const index = numberIn(textAt(device, 'device_id'));
    const role = textAt(device, 'device_function_type') ?? textAt(device, 'function_type') ?? 'physical';
    if (index === undefined || !/^physical$/i.test(role)) return [];
    return [{ index, uuid: wordIn(textAt(device, 'uuid')), facts: identityFacts(device) }];
  });
}

/** Reads `xpu-smi discovery -d ID -j`: one device in detail. */
export function parseXpuDetails(json: Json): XpuDevice['facts'] {
  const bytes = numberIn(textAt(json, 'memory_physical_size_byte'));
  const ecc = textAt(json, 'memory_ecc_state') ?? textAt(json, 'ecc_state');
  return {
    ...identityFacts(json),
    driverVersion: wordIn(textAt(json, 'driver_version')),
    memoryMiB:
      bytes === undefined ? numberIn(textAt(json, 'memory_physical_size')) : Math.floor(bytes / 2 ** 20),
    eccEnabled: ecc === 'enabled' ? true : ecc === 'disabled' ? false : undefined,
  };
}

/** Of how many tiles a device is made, by `xpu-smi discovery -d ID -j`. */
export function parseXpuTiles(json: Json): number | undefined {
  const tiles = numberIn(textAt(json, 'number_of_tiles'));
  return tiles !== undefined && tiles >= 1 ? tiles : undefined;
}

/** Reads `xpu-smi stats -d ID -j`: metrics of the whole device, or of its tiles, whose memory is added and whose utilisation is averaged. */
export function parseXpuStats(json: Json): XpuDevice['facts'] {
  const whole = listIn(at(json, 'device_level'));
  const tiles = listIn(at(json, 'tile_level')).map((tile) => listIn(at(tile, 'data_list')));
  const values = (metric: string): readonly number[] => {
    const own = valueOf(whole, metric);
    return own === undefined
      ? tiles.map((tile) => valueOf(tile, metric)).filter((value) => value !== undefined)
      : [own];
  };
  const used = values('XPUM_STATS_MEMORY_USED');
  const busy = values('XPUM_STATS_GPU_UTILIZATION');
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    memoryUsedMiB: used.length === 0 ? undefined : Math.floor(sum(used)),
    utilisation: busy.length === 0 ? undefined : partOf(sum(busy) / busy.length),
  };
}

/**
 * Reads `xpu-smi health -d ID -j`: what is critical, in words; `well` when nothing is; undefined when the tool does not know, as where its
 * caller may not ask.
 */
export function parseXpuHealth(json: Json): string | undefined {
  const told = fieldsIn(json).flatMap(([name, component]) => {
    const status = wordIn(textAt(component, 'status'));
    return status === undefined ? [] : [{ name, component, status }];
  });
  const bad = told.find(({ status }) => /critical/i.test(status));
  if (bad === undefined) return told.length > 0 ? xpuWell : undefined;
  return `${bad.name} is critical: ${textAt(bad.component, 'description') ?? 'no reason given'}`;
}

/** What {@link parseXpuHealth} says of a device that is well. */
export const xpuWell = 'well';

function valueOf(metrics: readonly Json[], type: string): number | undefined {
  const metric = metrics.find((one) => at(one, 'metrics_type') === type);
  return numberIn(textAt(metric, 'value') ?? textAt(metric, 'avg'));
}

function identityFacts(device: Json): XpuDevice['facts'] {
  return {
    model: wordIn(textAt(device, 'device_name')),
    pciAddress: pciAddressOf(textAt(device, 'pci_bdf_address')),
    pciId: pciIdOf('8086', textAt(device, 'pci_device_id')),
  };
}

function textAt(json: Json, key: string): string | undefined {
  const value = at(json, key);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
