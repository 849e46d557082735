import { defineCollection } from '@rhizome/mongo';

/** The streams of a payload. */
export type LogStreamName = 'STDOUT' | 'STDERR';

/** A piece of the captured output of one attempt. */
export interface JobLogChunkDocument {
  /** `<job>/<attempt, two digits>/<sequence, eight digits>`: sorts as the pieces follow each other. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly jobId: string;
  readonly attempt: number;
  readonly sequence: number;
  readonly stream: LogStreamName;
  readonly text: string;
  /** When the worker captured it. */
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

/** How far the log of one attempt has come. */
export interface JobLogHeadDocument {
  /** `<job>/<attempt, two digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  /** The sequence number expected next: all smaller ones are stored. */
  readonly next: number;
  /** Of all texts, as UTF-8. */
  readonly bytes: number;
}

/** Heads of logs. */
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
