/** Stored state of the jobs of submissions, by position in the task, derived from events. */
import { defineCollection } from '@rhizome/mongo';

/** Outcome at a position: the job has not ended; it FINISHED; it ended otherwise. */
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
  /**
   * The newest job at this position: a repeated job has another id than the one it repeats, and a later one.
   */
  readonly jobId: string;
  /** Revision of that job in the last event. */
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

/** Position in a stream up to which events are recorded. */
export interface StreamPlaceDocument {
  /** Of the stream. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  readonly cursor: string;
  /** Number of dead letters. */
  readonly parked?: number; // cspell:disable-line
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
      parked: { bsonType: 'int', minimum: 1 }, // cspell:disable-line
    },
  },
});

/** The id of a position. */
export function positionId(submissionId: string, index: number): string {
  return `${submissionId}/${String(index).padStart(7, '0')}`;
}

/** Submission, or what else has parts by position, and the position of an id. */
export function positionOf({ _id }: { readonly _id: string }): {
  readonly parentId: string;
  readonly index: number;
} {
  const at = _id.lastIndexOf('/');
  return { parentId: _id.slice(0, at), index: Number(_id.slice(at + 1)) };
}
