/** What other domains know of queues. */
import type { StoredLabel } from '../shared/label.types.js';
import type { QueueState } from './queue.document.js';

/** What the scheduler and workers need to know of a queue. */
export interface QueueFacts {
  readonly id: string;
  readonly name: string;
  readonly site: string;
  readonly state: QueueState;
  readonly executor: string;
  /** Names; empty admits every experiment. */
  readonly experiments: readonly string[];
  readonly labels: readonly StoredLabel[];
  readonly limits: {
    readonly maxCores?: number;
    readonly maxMemoryMiB?: number;
    readonly maxWalltimeSeconds?: number;
    readonly maxRunningJobs?: number;
    readonly gpuSharing?: boolean;
    readonly heartbeatSeconds: number;
    readonly leaseSeconds: number;
  };
  /** Grows with each change: what was matched against an older revision is matched again. */
  readonly revision: number;
}
