/** What is stored of the jobs of submissions: how each position of a task stands, derived from events. */
import { defineCollection } from '@rhizome/mongo';

/** How the job at a position stands: it has not ended; it FINISHED; it ended otherwise. */
export const jobOutcomes = ['WAITING', 'FINISHED', 'LOST'] as const;

/** One of {@link jobOutcomes}. */
export type JobOutcome = (typeof jobOutcomes)[number];

/** One position of a task. There is none before its job ended for the first time. */
export interface JobStateDocument {
  /** `<submission>/<position, seven digits>`: positions of a submission follow each other. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  readonly outcome: JobOutcome;
  /** The newest job at this position: a repeated job has another id than the one it repeats, and a later one. */
  readonly jobId: string;
  /** Of that job, when it was last told. */
  readonly jobRevision: number;
}

/** Positions of tasks. */
export const jobStatesCollection = defineCollection<JobStateDocument>({
  name: 'jobStates',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'updatedAt', 'outcome', 'jobId', 'jobRevision'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      updatedAt: { bsonType: 'date' },
      outcome: { enum: [...jobOutcomes] },
      jobId: { bsonType: 'string' },
      jobRevision: { bsonType: 'int', minimum: 1 },
    },
  },
});

/** How far a stream was taken in. */
export interface StreamPlaceDocument {
  /** Of the stream. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  readonly cursor: string;
  /** Events that were put aside, in all; left out where there was none. */
  readonly parked?: number;
}

/** Places in streams. */
export const streamPlacesCollection = defineCollection<StreamPlaceDocument>({
  name: 'streamPlaces',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'updatedAt', 'cursor'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      updatedAt: { bsonType: 'date' },
      cursor: { bsonType: 'string', maxLength: 4096 },
      parked: { bsonType: 'int', minimum: 1 },
    },
  },
});

/** The id of a position. */
export function positionId(submissionId: string, index: number): string {
  return `${submissionId}/${String(index).padStart(7, '0')}`;
}
