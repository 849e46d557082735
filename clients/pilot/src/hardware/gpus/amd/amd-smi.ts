import {
  numberIn,
  shareOfPercent,
  pciAddressOf,
  pciIdOf,
  knownValue,
  type KnownFacts,
} from '../detected-device.js';
import { partitionOf } from '../kernel-facts.js';
import { hexId } from '../pci-bus.js';
import { at, listIn, type Json } from '../tool-json.js';

/** A device of `amd-smi`. */
export interface AmdDevice {
  /** Its number in the tool, and in ROCm if no device is hidden. */
  readonly index: number;
  /** 16 hexadecimal digits; undefined if the device has none. Partitions of one device share it. */
  readonly uniqueId: string | undefined;
  readonly facts: { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };
  /** Reason why it is unhealthy; undefined if it is healthy. */
  readonly fault: string | undefined;
}

/** Reads `amd-smi static --json`: a list of devices, in newer releases under `gpu_data`. */
export function parseAmdStatic(json: Json): readonly AmdDevice[] {
  return devicesIn(json).flatMap((gpu) => {
    const index = numberIn(textAt(gpu, 'gpu'));
    if (index === undefined) return [];
    const target = knownValue(textAt(gpu, 'asic', 'target_graphics_version'));
    const facts = {
      model: knownValue(textAt(gpu, 'asic', 'market_name')),
      pciAddress: pciAddressOf(textAt(gpu, 'bus', 'bdf')),
      pciId: pciIdOf('1002', textAt(gpu, 'asic', 'device_id')),
      gfxTarget: target !== undefined && /^gfx[0-9a-f]+$/.test(target) ? target : undefined,
      memoryMiB: mibAt(gpu, 'vram', 'size'),
      driverVersion: knownValue(textAt(gpu, 'driver', 'version') ?? textAt(gpu, 'driver', 'driver_version')),
      partitionMode: partitionOf(
        knownValue(
          textAt(gpu, 'partition', 'compute_partition') ?? textAt(gpu, 'partition', 'accelerator_partition'),
        ),
        knownValue(textAt(gpu, 'partition', 'memory_partition')),
      ),
      eccEnabled: eccOf(gpu),
    };
    // Since release 26, only root gets this value.
    const isWorn = /^true$/i.test(textAt(gpu, 'ras', 'bad_page_threshold_exceeded') ?? '');
    const fault = isWorn ? 'more memory pages were retired than its threshold allows' : undefined;
    return [{ index, uniqueId: hexId(textAt(gpu, 'asic', 'asic_serial')), facts, fault }];
  });
}

/** Reads `amd-smi metric --json`: values that change all the time, by device. */
export function parseAmdMetric(json: Json): ReadonlyMap<number, Pick<AmdDevice, 'facts' | 'fault'>> {
  return new Map(
    devicesIn(json).flatMap((gpu) => {
      const index = numberIn(textAt(gpu, 'gpu'));
      if (index === undefined) return [];
      const errors = numberIn(textAt(gpu, 'ecc', 'total_uncorrectable_count')) ?? 0;
      const facts = {
        utilisation: shareOfPercent(numberIn(textAt(gpu, 'usage', 'gfx_activity'))),
        memoryUsedMiB: mibAt(gpu, 'mem_usage', 'used_vram'),
        memoryMiB: mibAt(gpu, 'mem_usage', 'total_vram'),
      };
      const fault = errors > 0 ? `${errors} uncorrectable memory errors` : undefined;
      return [[index, { facts, fault }] as const];
    }),
  );
}

/**
 * Reads `amd-smi partition --json`, which since release 26 has the mode of each device that `static` had
 * before.
 */
export function parseAmdPartition(json: Json): ReadonlyMap<number, string> {
  return new Map(
    listIn(at(json, 'current_partition')).flatMap((gpu) => {
      const index = numberIn(textAt(gpu, 'gpu_id'));
      const mode = partitionOf(
        knownValue(textAt(gpu, 'accelerator_type')),
        knownValue(textAt(gpu, 'memory')),
      );
      return index === undefined || mode === undefined ? [] : [[index, mode] as const];
    }),
  );
}

/** Reads `amd-smi version --json`: the ROCm release; undefined if it is missing. */
export function parseAmdVersion(json: Json): string | undefined {
  const version = knownValue(textAt(listIn(json)[0] ?? json, 'rocm_version'));
  return version !== undefined && /^\d+(\.\d+)+/.test(version)
    ? /^\d+(\.\d+)+/.exec(version)?.[0]
    : undefined;
}

function devicesIn(json: Json): readonly Json[] {
  const wrapped = at(json, 'gpu_data');
  return listIn(wrapped ?? json);
}

/** True if any block of the device has error correction. */
function eccOf(gpu: Json): boolean | undefined {
  const blocks = at(gpu, 'ras', 'ecc_block_state') ?? at(gpu, 'ras', 'block_state');
  const states =
    blocks !== null && typeof blocks === 'object' && !Array.isArray(blocks)
      ? Object.values(blocks)
      : listIn(blocks).map((block) => at(block, 'status'));
  const words = states.filter((state) => typeof state === 'string');
  if (words.some((word) => word === 'ENABLED')) return true;
  return words.some((word) => word === 'DISABLED') ? false : undefined;
}

/** Amounts are numbers, texts, or `{value, unit}`. */
function textAt(json: Json, ...path: readonly string[]): string | undefined {
  const found = at(json, ...path);
  const value = at(found, 'value') ?? found;
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}

function mibAt(json: Json, ...path: readonly string[]): number | undefined {
  const number = numberIn(textAt(json, ...path));
  if (number === undefined) return undefined;
  const unit = at(json, ...path, 'unit');
  return Math.floor(unit === 'GB' ? number * 1024 : unit === 'B' ? number / 2 ** 20 : number);
}
