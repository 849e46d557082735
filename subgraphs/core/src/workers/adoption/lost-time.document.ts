/** Time that superseded attempts lost, until it is counted. */
import { defineCollection } from '@rhizome/mongo';
import type { StoredFailure } from '../../jobs/model/job.types.js';

/** Time for which the payload of an attempt ran on after core had given the attempt up. */
export interface LostTimeDocument {
  /** Id of the job and fence of the attempt. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  readonly jobId: string;
  readonly experiment: string;
  readonly taskId?: string;
  readonly failure: StoredFailure;
}

const text = { bsonType: 'string' };

/** Written together with the mark on the attempt, and removed together with the update of the counts. */
export const lostTimesCollection = defineCollection<LostTimeDocument>({
  name: 'lostTimes',
  schemaVersion: 1,
  validator: {
    required: ['createdAt', 'jobId', 'experiment', 'failure'],
    properties: {
      createdAt: { bsonType: 'date' },
      jobId: text,
      experiment: text,
      taskId: text,
      failure: { bsonType: 'object', required: ['code', 'cores', 'seconds', 'at'] },
    },
  },
});
