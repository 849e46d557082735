import { defineCollection } from '@rhizome/mongo';

/** Numbers of units of a pool that one process wrote for a site in an hour. */
export interface UnitHour {
  readonly poolId: string;
  /** Start of the hour. */
  readonly hour: Date;
  /** Site of the jobs; absent if it is unknown. */
  readonly site?: string;
  /** The process: those of two processes do not compete for a document. */
  readonly writer: string;
  readonly completed: number;
  /** Failed attempts. */
  readonly failures: number;
  /** Seconds of the completed units. */
  readonly seconds: number;
}

/** Stored form of {@link UnitHour}. */
export interface UnitHourDocument extends UnitHour {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly updatedAt: Date;
}

const count = { bsonType: 'number', minimum: 0 } as const;

/** Numbers of all pools by hour, site and process. They are kept. */
export const unitHoursCollection = defineCollection<UnitHourDocument>({
  name: 'unitHours',
  schemaVersion: 1,
  validator: {
    required: ['updatedAt', 'poolId', 'hour', 'writer', 'completed', 'failures', 'seconds'],
    properties: {
      updatedAt: { bsonType: 'date' },
      poolId: { bsonType: 'string' },
      hour: { bsonType: 'date' },
      site: { bsonType: 'string' },
      writer: { bsonType: 'string' },
      completed: count,
      failures: count,
      seconds: count,
    },
  },
  indexes: [
    {
      name: 'poolId_hour_idx',
      keys: { poolId: 1, hour: 1 },
      why: 'numbers of pools in a period',
    },
  ],
});

/** The update that adds numbers. */
export function additionOf({ completed, failures, seconds, ...key }: UnitHour, now: Date) {
  const { poolId, hour, site, writer } = key;
  return {
    filter: { _id: [poolId, hour.toISOString(), site ?? '', writer].join(' ') },
    update: {
      $inc: { completed, failures, seconds },
      $set: { updatedAt: now },
      $setOnInsert: { schemaVersion: 1, ...key },
    },
    upsert: true,
  };
}
