/** The fleet as the scheduler matches against it. */
import type { PreferenceScore } from '../../jobs/model/job.types.js';
import type { DeviceMatch } from '../../gpus/verdict/device-match.js';
import type { DeviceLayout } from '../../gpus/capacity/device-set.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { EvaluationBudget } from './preference-turns.js';
import type { SlotsCache } from './gpu-demand.js';
import type { SelectorScope } from '../requirements/selector.js';
import type { HostStanding } from './host-standing.types.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { DowntimeWindow } from '../../queues/downtimes/downtime-window.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';

/**
 * Workers that publish the same facts in the same queue. Labels and amounts of cores, memory and disk are not
 * part of the shape: they differ from host to host, and there are as many disk sizes as hosts.
 */
export interface Shape {
  readonly key: string;
  readonly queue: QueueFacts;
  readonly hasDevices: boolean;
  /** Cached slots of capacities of this shape. */
  readonly slots: SlotsCache;
  /**
   * Returns true if a worker of this shape with sufficient amounts could run the class, apart from per-host
   * selectors.
   */
  mayFit(cls: RequirementClass): boolean;
  /**
   * Part of the preferences of a class that every worker of the shape meets, 0 to 1; 1 if the class has none.
   * @param budget limits how often a known score is evaluated again
   */
  preferenceScore(cls: RequirementClass, budget?: EvaluationBudget): number;
  /** Devices that serve the class; undefined if it requires none or none serves. */
  deviceMatch(cls: RequirementClass): DeviceMatch | undefined;
}

/** A live worker in the fleet. */
export interface FleetWorker {
  readonly facts: WorkerFacts;
  readonly shape: Shape;
  readonly profile: WorkerProfile;
  readonly devices: DeviceLayout;
  /** Downtimes of its queue, by their start. */
  readonly downtimes: readonly DowntimeWindow[];
  /**
   * Returns a key that is equal for all workers that a selector of the scope cannot distinguish from this
   * one.
   */
  equivalenceKey(scope: SelectorScope): object;
  /** Returns true if the worker, when empty, could run the class. */
  fits(cls: RequirementClass): boolean;
  /**
   * Preferences of a class that the worker meets; undefined if the class has none.
   * @param budget if it is used up, the last known score is returned, or undefined if there is none
   */
  preference(cls: RequirementClass, budget?: EvaluationBudget): PreferenceScore | undefined;
  /** State of its host at a time; undefined if the host is healthy. */
  standing(atMs: number): HostStanding | undefined;
}
