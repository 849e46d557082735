/** Whether a device has the memory that is asked: as reported, or as the size that it is sold as. */
import { modelOf } from '../catalogue/catalogue.js';
import type { GpuModelRow } from '../catalogue/catalogue.types.js';
import { partitionsOf, profileMemoryGB, profileOf } from '../capacity/gpu-equivalents.js';
import { type Device, native, no, type Verdict } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** What is sold as so many GB reports up to this part less of them in MiB. */
const classTolerance = 0.05;
/** The part of the memory that errors are corrected with, where it has no bits of its own for that. */
const eccPart = 1 / 16;
/** A profile is named after its part of the device's memory, rounded up to eighths: its own may be this part less. */
const sliceTolerance = 1 / 8;

/** What is asked, as a constraint; undefined where nothing is. */
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
      `its memory is unknown, ${Math.max(minMemoryMiB, shareMemoryMiB)} MiB are asked`,
    );
  // A share is of what is there: no size on a label helps.
  if (memoryMiB < shareMemoryMiB) return tooSmall(memoryMiB, shareMemoryMiB, 'of one device ');
  if (memoryMiB >= minMemoryMiB) return native;
  const sold = soldAs(device);
  if (sold === undefined || sold.memoryMiB < minMemoryMiB || memoryMiB < sold.leastMiB)
    return tooSmall(memoryMiB, minMemoryMiB, '');
  return native;
}

function tooSmall(has: number, asked: number, of: string): Verdict {
  return no('MEMORY_TOO_SMALL', `it has ${has} MiB of memory, ${asked} ${of}are asked`);
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
