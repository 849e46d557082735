/** Parent types of the resolvers of canary jobs. */
import type { QueueHealth } from '../../workers/canaries/canary-plan.js';
import type { CanaryResult } from '../../workers/canaries/canary.document.js';
import type { StoredCanary } from '../queue.document.js';

export type QueueCanaryMapper = StoredCanary;
export type QueueHealthMapper = QueueHealth;
export type CanaryResultMapper = CanaryResult;
