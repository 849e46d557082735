/** Views of queues for other domains. */
import type { ContinuityPolicy } from '../shared/continuity.js';
import type { StoredLabel } from '../shared/label.types.js';
import type { DowntimeWindow } from './downtimes/downtime-window.js';
import type { ExperimentLimits, QueueIsolation, QueueState } from './queue.document.js';

/** Properties of a queue that the scheduler and workers need. */
export interface QueueFacts {
  readonly id: string;
  readonly name: string;
  readonly site: string;
  readonly state: QueueState;
  readonly executor: string;
  /** Names of experiments; empty admits every experiment. */
  readonly experiments: readonly string[];
  /** Isolation that payloads need; absent means `NONE`. */
  readonly isolation?: QueueIsolation;
  readonly labels: readonly StoredLabel[];
  /** Defaults and bounds for jobs while their worker cannot reach core. */
  readonly continuity?: ContinuityPolicy;
  readonly limits: {
    readonly maxCores?: number;
    readonly maxMemoryMiB?: number;
    readonly maxWalltimeSeconds?: number;
    readonly maxNoticeSeconds?: number;
    readonly maxRunningJobs?: number;
    readonly maxPreemptionsPerMinute?: number;
    readonly gpuSharing?: boolean;
    readonly heartbeatSeconds: number;
    readonly leaseSeconds: number;
    readonly logIntervalMs?: number;
  };
  /** Limits per experiment; absent if there are none. */
  readonly experimentLimits?: readonly ExperimentLimits[];
  /** Times in which the queue or its site runs no jobs, by their start; absent if there are none. */
  readonly downtimes?: readonly DowntimeWindow[];
  /** Incremented by each change: matches against an older revision are repeated. */
  readonly revision: number;
}
