/** Checks the memory of a device: as reported, or by its nominal size. */
import { modelOf } from '../catalogue/catalogue.js';
import type { GpuModelRow } from '../catalogue/catalogue.types.js';
import { partitionsOf, profileMemoryGB, profileOf } from '../capacity/gpu-equivalents.js';
import { type Device, native, no, type Verdict } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** Largest part by which the reported MiB of a device are below its nominal GB. */
const classTolerance = 0.05;
/** Part of the memory used for error correction, if it has no separate bits for that. */
const eccPart = 1 / 16;
/** Tolerance for slices: the name of a profile has its memory rounded up to eighths of the device. */
const sliceTolerance = 1 / 8;

/** The required memory as a constraint; undefined if there is none. */
export function memoryText({ minMemoryMiB, shareMemoryMiB }: StoredGpuRequirement): string | undefined {
  const wanted = Math.max(minMemoryMiB ?? 0, shareMemoryMiB ?? 0);
  return wanted > 0 ? `gpu memoryMiB >= ${wanted}` : undefined;
}

/** The verdict on memory alone. */
export function memoryVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const { memoryMiB } = device;
  const { minMemoryMiB = 0, shareMemoryMiB = 0 } = gpu;
  if (memoryMiB === undefined)
    return no(
      'MEMORY_UNKNOWN',
      `its memory is unknown, ${Math.max(minMemoryMiB, shareMemoryMiB)} MiB are required`,
    );
  // A share refers to the actual memory, not to the nominal size.
  if (memoryMiB < shareMemoryMiB) return tooSmall(memoryMiB, shareMemoryMiB, 'of one device ');
  if (memoryMiB >= minMemoryMiB) return native;
  const sold = soldAs(device);
  if (sold === undefined || sold.memoryMiB < minMemoryMiB || memoryMiB < sold.leastMiB)
    return tooSmall(memoryMiB, minMemoryMiB, '');
  return native;
}

function tooSmall(has: number, required: number, of: string): Verdict {
  return no('MEMORY_TOO_SMALL', `it has ${has} MiB of memory, ${required} ${of}are required`);
}

interface Sold {
  readonly memoryMiB: number;
  /** The least that it may report. */
  readonly leastMiB: number;
}

/** The size that it is sold as: its model's, its part of that, or what the name of its profile says. */
function soldAs(device: Device): Sold | undefined {
  const profile = profileOf(device);
  if (profile !== undefined) {
    const named = profileMemoryGB(profile);
    return named === undefined
      ? undefined
      : { memoryMiB: named * 1024, leastMiB: named * 1024 * (1 - sliceTolerance) };
  }
  const row = modelOf(device);
  const least = row && leastReportedMiB(row);
  if (row?.memoryGB === undefined || least === undefined) return undefined;
  const parts = partitionsOf(device) ?? 1;
  return { memoryMiB: (row.memoryGB * 1024) / parts, leastMiB: least / parts };
}

/** The least that a tool may report of a model for it to count as what it is sold as, in MiB. */
export function leastReportedMiB({ memoryGB, isEccInMemory, reportedMiB }: GpuModelRow): number | undefined {
  if (memoryGB === undefined) return undefined;
  const left = memoryGB * 1024 * (1 - (isEccInMemory ? eccPart : 0));
  return Math.min(Math.ceil(left * (1 - classTolerance)), ...reportedMiB);
}
