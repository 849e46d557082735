/** Stored form of the holds of workers for jobs that preempt. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** A worker that gets no job of a lower priority until the job is placed. */
export interface PreemptionHoldDocument {
  /** Id of the worker. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  readonly jobId: string;
  readonly priority: number;
  /** Time at which it ends at the latest. */
  readonly until: Date;
}

/** Holds of the leader; the next one reads all of them. */
export const preemptionHoldsCollection = defineCollection<PreemptionHoldDocument>({
  name: 'preemptionHolds',
  schemaVersion: 1,
  validator: {
    required: ['createdAt', 'jobId', 'priority', 'until'],
    properties: {
      ...baseFields,
      jobId: { bsonType: 'string' },
      priority: { bsonType: 'number' },
      until: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'until_ttl',
      keys: { until: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'none: holds that have ended are removed',
    },
  ],
});
