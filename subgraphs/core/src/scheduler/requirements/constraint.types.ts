/** Constraints, and what they are checked against. */
import type { DeviceShape } from '../../gpus/capacity/device-shape.js';
import type { SelectorView } from './selector.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** What a constraint sees: a worker as if it were empty, with its queue. */
export interface WorkerProfile {
  readonly worker: Omit<WorkerFacts, 'id' | 'state' | 'queueId'>;
  readonly queue: QueueFacts;
  /** Made when a selector first asks for it. */
  readonly view: () => SelectorView;
  /** Its devices as GPUs are matched. */
  readonly devices: () => DeviceShape;
}

/** What hosts have more or less of. */
export type AmountName = 'cores' | 'memoryMiB' | 'diskMiB';

/** What a constraint is about. */
export type Subject =
  | 'queue'
  | AmountName
  | 'walltimeSeconds'
  | 'architecture'
  | 'architectureLevel'
  | 'containerRuntime'
  | 'network'
  | 'selector'
  | 'devices';

/** One thing that a job asks for. */
export interface Constraint {
  readonly about: Subject;
  /** As `cores >= 8`. */
  readonly text: string;
  /** The devices that meet it by themselves, by position; left out where it is not about devices. */
  readonly devicesThatPass?: (profile: WorkerProfile) => readonly boolean[];
  /** Why the candidate does not meet it, or undefined if it does. Unknown facts never do. */
  refusal(profile: WorkerProfile): string | undefined;
}
