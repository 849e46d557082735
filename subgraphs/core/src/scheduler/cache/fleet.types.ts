/** The fleet as the scheduler matches against it. */
import type { DeviceFit } from '../../gpus/verdict/device-fit.js';
import type { DeviceLayout } from '../../gpus/capacity/device-shape.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { SlotsCache } from './gpu-demand.js';
import type { SelectorScope } from '../requirements/selector.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';

/**
 * Workers that publish the same facts in the same queue, whatever their labels and their amounts of cores, memory and disk: those differ from
 * host to host, and there are as many disks as hosts.
 */
export interface Shape {
  readonly key: string;
  readonly queue: QueueFacts;
  readonly hasDevices: boolean;
  /** What was computed for capacities of this shape. */
  readonly slots: SlotsCache;
  /** Whether a worker of this shape could run the class, if it has the amounts, and whatever a selector asks of it alone. */
  mayFit(cls: RequirementClass): boolean;
  /** Which of its devices serve the class; undefined where it asks for none, or they do not. */
  deviceFit(cls: RequirementClass): DeviceFit | undefined;
}

/** A live worker in the fleet. */
export interface FleetWorker {
  readonly facts: WorkerFacts;
  readonly shape: Shape;
  readonly profile: WorkerProfile;
  readonly devices: DeviceLayout;
  /** A key that is equal for all workers that a selector of the scope cannot distinguish from this one. */
  equivalenceKey(scope: SelectorScope): object;
  /** Whether the worker, when empty, could run the class. */
  fits(cls: RequirementClass): boolean;
}
