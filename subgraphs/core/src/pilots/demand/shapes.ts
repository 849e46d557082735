/** Decides which of the pilots that a site can start would run a class, and how many of its jobs. Pure. */
import type { DeviceDocument } from '../../gpus/device.types.js';
import { deviceCapacity } from '../../gpus/capacity/device-capacity.js';
import { secondsUntilDowntime } from '../../queues/downtimes/downtime-window.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { Fleet } from '../../scheduler/cache/fleet.js';
import type { FleetWorker } from '../../scheduler/cache/fleet.types.js';
import { jobsIn } from '../../scheduler/cache/gpu-demand.js';
import type { RequirementClass } from '../../scheduler/requirements/requirement-class.js';
import type { StoredHardware } from '../../scheduler/worker-facts.types.js';
import type { StoredLabel } from '../../shared/label.types.js';

/** A pilot that a site can start: what its worker would report. */
export interface PilotShape {
  readonly name: string;
  readonly hardware: StoredHardware;
  readonly labels: readonly StoredLabel[];
  readonly devices: readonly DeviceDocument[];
  /** Time from its start to its end. */
  readonly lifetimeSeconds: number;
}

/** The shape that serves a class, or why none does. */
export type ShapeFit =
  | { readonly shape: string; readonly jobsPerPilot: number; readonly reason?: never }
  | { readonly shape?: never; readonly jobsPerPilot?: never; readonly reason: string };

/** The shapes of a queue, in the order in which they are preferred. */
export class Shapes {
  readonly #workers: readonly { readonly shape: PilotShape; readonly worker: FleetWorker }[];
  readonly #untilDowntime: number;

  constructor(queue: QueueFacts, shapes: readonly PilotShape[], wallMs: number) {
    const fleet = new Fleet();
    fleet.setQueues([queue]);
    this.#untilDowntime = secondsUntilDowntime(queue.downtimes ?? [], wallMs);
    this.#workers = shapes.flatMap((shape) => {
      const { name, hardware, labels, devices } = shape;
      const facts = { id: name, name, hardware, labels, devices, queueId: queue.id, host: name, version: '' };
      // Pilots of executors enrol, so each has a key.
      const worker = fleet.set({ ...facts, state: 'READY', keyThumbprint: 'key' });
      return worker ? [{ shape, worker }] : [];
    });
  }

  /** The first shape that serves the class. */
  fit(cls: RequirementClass): ShapeFit {
    let reason = 'the queue has no shapes';
    for (const { shape, worker } of this.#workers) {
      const refusal = this.#refusal(shape, worker, cls);
      if (refusal === undefined)
        return { shape: shape.name, jobsPerPilot: Math.max(1, jobsOf(shape, worker, cls)) };
      reason = `${shape.name}: ${refusal}`;
    }
    return { reason };
  }

  #refusal(shape: PilotShape, worker: FleetWorker, cls: RequirementClass): string | undefined {
    const { walltimeSeconds } = cls.requirements;
    if (walltimeSeconds > shape.lifetimeSeconds)
      return `walltime of ${walltimeSeconds} s is longer than the life of ${shape.lifetimeSeconds} s`;
    if (walltimeSeconds > this.#untilDowntime) return 'the queue is down too soon';
    if (worker.fits(cls)) return undefined;
    for (const constraint of cls.constraints) {
      const refusal = constraint.refusal(worker.profile);
      if (refusal !== undefined) return `${constraint.text}: ${refusal}`;
    }
    return 'its devices do not serve together';
  }
}

function jobsOf({ hardware }: PilotShape, worker: FleetWorker, cls: RequirementClass): number {
  const { cores, memoryMiB, diskMiB } = hardware;
  const capacity = { cores, memoryMiB, diskMiB, devices: deviceCapacity(worker.devices, () => true) };
  return jobsIn(capacity, cls, worker.shape.deviceMatch(cls));
}
