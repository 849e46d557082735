/**
 * Counts of failures. A document holds the rows of one rollup, of one experiment, for one hour; or, of the
 * rollup TOTAL, of one experiment and site for all time. Rows keep their position, so that an update names
 * only those that changed.
 */
import { defineCollection } from '@rhizome/mongo';
import type { JobErrorFamily } from '../../jobs/model/job.types.js';

/** Hourly counts, with the fields that their rows have in addition to the family and the code. */
export const rollupFields = {
  CODE: ['site', 'queue'],
  HOST: ['site', 'queue', 'host'],
  TASK: ['taskId'],
  IMAGE: ['image'],
  EXIT_CODE: ['exitCode'],
} as const satisfies Readonly<Record<string, readonly (keyof FailureKey)[]>>;

/** Name of an hourly rollup. */
export type HourlyRollup = keyof typeof rollupFields;

/** Most rows of a document; further keys share one row per family, with {@link otherCode}. */
export const maxRows: Readonly<Record<HourlyRollup | 'TOTAL', number>> = {
  CODE: 1000,
  HOST: 1000,
  TASK: 1000,
  IMAGE: 300,
  EXIT_CODE: 300,
  TOTAL: 2000,
};

/** Code of the row of all keys beyond {@link maxRows}. */
export const otherCode = 'OTHER';

/** Most jobs of a row. */
export const maxSamples = 5;

/** Values that the failures of a row share; null for one that is unknown, or that the rollup leaves out. */
export interface FailureKey {
  /** Null for attempts that ended without an error, and for time lost by superseded ones. */
  readonly family: JobErrorFamily | null;
  readonly code: string;
  readonly site: string | null;
  readonly queue: string | null;
  readonly host: string | null;
  readonly taskId: string | null;
  readonly image: string | null;
  readonly exitCode: number | null;
}

/** A count of failures. */
export interface FailureRow extends FailureKey {
  readonly count: number;
  readonly coreSeconds: number;
  readonly gpuSeconds: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** Ids of jobs that failed so, the latest first. */
  readonly jobs: readonly string[];
}

/** Rows of a rollup. */
export interface FailureCountsDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly rollup: HourlyRollup | 'TOTAL';
  readonly experiment: string;
  /** Begin of the hour; absent in totals. */
  readonly hour?: Date;
  /** Site of totals; absent in hours, null for jobs without one. */
  readonly site?: string | null;
  /** Position in the stream of the latest event in the counts, which contain all up to it; empty before. */
  readonly upTo: string;
  /** Latest first occurrence of a row; of totals, in which rows are never removed. */
  readonly newestAt?: Date;
  readonly expiresAt?: Date;
  readonly rows: readonly FailureRow[];
}

/** Interval in which failures were not counted: the stream had been lost. */
export interface UncountedInterval {
  readonly from: Date;
  readonly to: Date;
}

/** Since when failures are counted, and when they were not. */
export interface FailureHistoryDocument {
  readonly _id: 'history';
  readonly schemaVersion: number;
  readonly createdAt: Date;
  readonly gaps: readonly UncountedInterval[];
}

const time = { bsonType: 'date' };
const text = { bsonType: 'string' };

/** Counts of failures. */
export const failureCountsCollection = defineCollection<FailureCountsDocument>({
  name: 'failureCounts',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'rollup', 'experiment', 'upTo', 'rows'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: time,
      updatedAt: time,
      rollup: { enum: [...Object.keys(rollupFields), 'TOTAL'] },
      experiment: text,
      hour: time,
      site: { bsonType: ['string', 'null'] },
      upTo: text,
      newestAt: time,
      expiresAt: time,
      rows: { bsonType: 'array', maxItems: 2010, items: { bsonType: 'object' } },
    },
  },
  indexes: [
    {
      name: 'rollup_hour_experiment_idx',
      keys: { rollup: 1, hour: 1, experiment: 1 },
      why: 'hours of a rollup in an interval, of some experiments',
    },
    {
      name: 'rollup_experiment_newestAt_idx',
      keys: { rollup: 1, experiment: 1, newestAt: 1 },
      options: { partialFilterExpression: { rollup: 'TOTAL' } },
      why: 'totals of some experiments, and those with codes that are new',
    },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes hours after their retention; totals do not expire',
    },
  ],
});

/** Since when failures are counted. */
export const failureHistoryCollection = defineCollection<FailureHistoryDocument>({
  name: 'failureHistory',
  schemaVersion: 1,
  validator: {
    required: ['createdAt', 'gaps'],
    properties: {
      createdAt: time,
      gaps: { bsonType: 'array', maxItems: 100, items: { bsonType: 'object' } },
    },
  },
});
