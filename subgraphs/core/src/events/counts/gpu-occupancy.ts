/** GPUs by queue and model: their number from the live workers, and the number in use from the counts. */
import type { Principal } from '@rhizome/authz';
import { heldStates } from '../../jobs/model/job-state.js';
import { Signal } from '../../shared/signal.js';
import type { CountStreamOptions } from './count-stream.js';
import type { DeviceDocument } from '../../gpus/device.types.js';

/** GPUs of one model in one queue. */
export interface GpuOccupancyRow {
  readonly queue: string;
  readonly vendor: string;
  readonly model: string;
  readonly total: number;
  readonly unhealthy: number;
  readonly allocated: number;
}

/** Changed rows, with the position in the stream of jobs. */
export interface GpuOccupancyChange {
  readonly token: string;
  readonly gpus: readonly GpuOccupancyRow[];
}

/** The filter of the input. */
export interface GpuOccupancyFilterInput {
  readonly queues?: readonly string[] | null | undefined;
  readonly models?: readonly string[] | null | undefined;
}

/** The part of the fleet that this module needs. */
export interface DeviceFleet {
  /** Devices of all live workers, with the names of their queues. */
  devices(): Iterable<{ readonly queue: string; readonly devices: readonly DeviceDocument[] }>;
  /** Calls the listener when workers registered, changed or ended. Returns a function that stops it. */
  onChanged(listener: () => void): () => void;
  /** Checks that the principal may see the workers of a queue. */
  maySee(queue: string, principal: Principal): boolean;
}

type Row = { -readonly [K in keyof GpuOccupancyRow]: GpuOccupancyRow[K] };
const held = new Set<string>(heldStates);

/**
 * Yields all rows that match and that the caller may see, then those that changed, at most once an interval.
 */
export async function* streamOccupancy(
  options: CountStreamOptions,
  fleet: DeviceFleet,
  wanted: {
    readonly filter: GpuOccupancyFilterInput | null | undefined;
    readonly intervalMs: number;
    readonly principal: Principal;
  },
): AsyncGenerator<GpuOccupancyChange, void, undefined> {
  const { counts, head } = options;
  const updates = new Signal(options, wanted.intervalMs);
  const stops = [counts.onChanged(() => updates.ring()), fleet.onChanged(() => updates.ring())];
  try {
    let shown = new Map<string, GpuOccupancyRow>();
    let isFirst = true;
    do {
      const now = occupancy(options, fleet, wanted);
      const gone = [...shown].filter(([key]) => !now.has(key)).map(([, row]) => zero(row));
      const changed = [...now].filter(([key, row]) => !isSame(row, shown.get(key))).map(([, row]) => row);
      if (isFirst || changed.length + gone.length > 0) yield { token: head(), gpus: [...changed, ...gone] };
      shown = now;
      isFirst = false;
    } while (await updates.wait());
  } finally {
    stops.forEach((stop) => stop());
    updates.release();
  }
}

function occupancy(
  { counts }: CountStreamOptions,
  fleet: DeviceFleet,
  {
    filter,
    principal,
  }: { readonly filter: GpuOccupancyFilterInput | null | undefined; readonly principal: Principal },
): Map<string, GpuOccupancyRow> {
  const rows = new Map<string, Row>();
  const seen = new Map<string, boolean>();
  const isWanted = (queue: string, model: string): boolean => {
    if (filter?.queues && !filter.queues.includes(queue)) return false;
    if (filter?.models && !filter.models.includes(model)) return false;
    let may = seen.get(queue);
    if (may === undefined) seen.set(queue, (may = fleet.maySee(queue, principal)));
    return may;
  };
  const vendors = new Map<string, string>();
  const rowOf = (queue: string, vendor: string, model: string): Row => {
    const key = `${queue}\n${model}`;
    const row = rows.get(key) ?? { queue, vendor, model, total: 0, unhealthy: 0, allocated: 0 };
    rows.set(key, row);
    return row;
  };
  for (const { queue, devices } of fleet.devices()) {
    const cut = new Set(devices.flatMap(({ parentId }) => parentId ?? []));
    for (const { id, vendor, model, health } of devices) {
      vendors.set(model, vendor);
      if (cut.has(id) || !isWanted(queue, model)) continue;
      const row = rowOf(queue, vendor, model);
      row.total += 1;
      if (health !== 'HEALTHY') row.unhealthy += 1;
    }
  }
  for (const { queue, gpuModel, state, gpus } of counts.jobs.rows()) {
    if (queue === null || gpuModel === null || !held.has(state) || !isWanted(queue, gpuModel)) continue;
    rowOf(queue, vendors.get(gpuModel) ?? 'UNKNOWN', gpuModel).allocated += gpus;
  }
  return rows;
}

function isSame(row: GpuOccupancyRow, other: GpuOccupancyRow | undefined): boolean {
  return other?.total === row.total && other.unhealthy === row.unhealthy && other.allocated === row.allocated;
}

function zero({ queue, vendor, model }: GpuOccupancyRow): GpuOccupancyRow {
  return { queue, vendor, model, total: 0, unhealthy: 0, allocated: 0 };
}
