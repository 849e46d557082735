/** Constraints and the facts that they are checked against. */
import type { DeviceSet } from '../../gpus/capacity/device-set.js';
import type { SelectorView } from './selector.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** Facts for a constraint: an empty worker with its queue. */
export interface WorkerProfile {
  readonly worker: Omit<WorkerFacts, 'id' | 'state' | 'queueId'>;
  readonly queue: QueueFacts;
  /** Created when a selector first needs it. */
  readonly view: () => SelectorView;
  /** Its devices in the form used by GPU matching. */
  readonly devices: () => DeviceSet;
}

/** Amounts of a host. */
export type AmountName = 'cores' | 'memoryMiB' | 'diskMiB';

/** Subject of a constraint. */
export type Subject =
  | 'queue'
  | AmountName
  | 'walltimeSeconds'
  | 'architecture'
  | 'architectureLevel'
  | 'containerRuntime'
  | 'network'
  | 'secrets'
  | 'selector'
  | 'devices';

/** One condition of a job. */
export interface Constraint {
  readonly about: Subject;
  /** For example `cores >= 8`. */
  readonly text: string;
  /** Devices that meet it individually, by position; left out if it does not concern devices. */
  readonly devicesThatPass?: (profile: WorkerProfile) => readonly boolean[];
  /**
   * Reason why the candidate does not meet it, or undefined if it does. Unknown facts never meet a
   * constraint.
   */
  refusal(profile: WorkerProfile): string | undefined;
}
