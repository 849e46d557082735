/** Stored form of the canary jobs of a queue: those that are open, and the results of the latest. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StoredCanary } from '../../queues/queue.document.js';

/** Ends of a canary job. */
export const canaryOutcomes = ['SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
/** One of {@link canaryOutcomes}. */
export type CanaryOutcome = (typeof canaryOutcomes)[number];

/** A canary job whose result is not recorded yet. */
export interface CanaryRun {
  /** Idempotency key of the submit: a repetition makes no second job. */
  readonly key: string;
  readonly at: Date;
  /** Host that it tests; absent for a job that any host of the queue may run. */
  readonly host?: string;
  /** Settings at that time, so that the submit can be repeated. */
  readonly settings: StoredCanary;
  /** Absent until the submit is known to be done. */
  readonly jobId?: string;
}

/** Result of a canary job. */
export interface CanaryResult {
  readonly jobId: string;
  readonly outcome: CanaryOutcome;
  /** Digest of the settings with which it ran; see `settingsDigest`. */
  readonly settings: string;
  readonly submittedAt: Date;
  readonly endedAt: Date;
  /** Host that ran it; absent if none did. */
  readonly host?: string;
  /** Time from the start of its payload to its end; absent if it did not start. */
  readonly runSeconds?: number;
  /** Code of the error of its last attempt. */
  readonly code?: string;
}

/** Error of a refused submit. */
export interface CanaryProblem {
  readonly message: string;
  readonly at: Date;
  /** Digest of the settings that were refused. */
  readonly settings: string;
}

/** Result of a job that was to test a host. */
export interface HostResult extends CanaryResult {
  readonly host: string;
}

/** Canary jobs of a queue. */
export interface CanaryDocument {
  /** Id of the queue. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Time at which the latest job that tests no single host was begun. */
  readonly latestAt?: Date;
  readonly open: readonly CanaryRun[];
  /** Results of jobs that test no single host, the latest first. */
  readonly results: readonly CanaryResult[];
  /** The latest result for each host that was to be tested, the latest first. */
  readonly hostResults: readonly HostResult[];
  /** Error of the latest submit of a job that tests no single host; absent if it was accepted. */
  readonly problem?: CanaryProblem;
  /** Error of the latest submit of a test of a host; absent if it was accepted. */
  readonly hostProblem?: CanaryProblem;
}

/** Most open jobs, of which one tests no single host. */
export const mostOpen = 21;
/** Most results that are kept, of those of hosts and of the others. */
export const mostResults = 100;

const storedResults = {
  bsonType: 'array',
  maxItems: mostResults,
  items: { bsonType: 'object', required: ['jobId', 'outcome', 'settings', 'submittedAt', 'endedAt'] },
};
const storedProblem = { bsonType: 'object', required: ['message', 'at', 'settings'] };

/** Canary jobs, one document for each queue that has or had them. */
export const canariesCollection = defineCollection<CanaryDocument>({
  name: 'canaries',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'open', 'results', 'hostResults'],
    properties: {
      ...baseFields,
      latestAt: { bsonType: 'date' },
      open: {
        bsonType: 'array',
        maxItems: mostOpen,
        items: { bsonType: 'object', required: ['key', 'at', 'settings'] },
      },
      results: storedResults,
      hostResults: storedResults,
      problem: storedProblem,
      hostProblem: storedProblem,
    },
  },
  indexes: [],
});
