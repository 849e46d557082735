import { defineCollection } from '@rhizome/mongo';

/** Output streams of a payload. */
export type LogStreamName = 'STDOUT' | 'STDERR';

/** Piece of the captured output of one attempt. */
export interface JobLogChunkDocument {
  /** `<job>/<attempt, two digits>/<sequence, eight digits>`: sorts in the order of the chunks. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly jobId: string;
  readonly attempt: number;
  readonly sequence: number;
  readonly stream: LogStreamName;
  readonly text: string;
  /** Time at which the worker captured the text. */
  readonly at: Date;
}

/** Captured output. */
export const jobLogsCollection = defineCollection<JobLogChunkDocument>({
  name: 'jobLogs',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'jobId', 'attempt', 'sequence', 'stream', 'text', 'at'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      jobId: { bsonType: 'string' },
      attempt: { bsonType: 'int', minimum: 1 },
      sequence: { bsonType: 'int', minimum: 0 },
      stream: { enum: ['STDOUT', 'STDERR'] },
      text: { bsonType: 'string' },
      at: { bsonType: 'date' },
    },
  },
});

/** State of the log of one attempt. */
export interface JobLogHeadDocument {
  /** `<job>/<attempt, two digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  /** Next expected sequence number; all smaller ones are stored. */
  readonly next: number;
  /** Total size of all texts as UTF-8. */
  readonly bytes: number;
}

/** State of each log. */
export const jobLogHeadsCollection = defineCollection<JobLogHeadDocument>({
  name: 'jobLogHeads',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'next', 'bytes'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      next: { bsonType: 'int', minimum: 0 },
      bytes: { bsonType: 'number', minimum: 0 },
    },
  },
});
