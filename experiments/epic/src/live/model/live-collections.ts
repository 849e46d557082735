/** Stored shapes of what belongs to live runs: history, frames and results. */
import { baseFields, type CollectionDefinition, defineCollection } from '@rhizome/mongo';
import { breakersCollection, claimsCollection, decisionsCollection } from './feed-collections.js';
import { liveRunsCollection } from './live-run.document.js';
import {
  facetNames,
  type FacetName,
  type FacetState,
  pathNames,
  type PathName,
  type Phase,
  phases,
} from './live-run.types.js';

/** An announcement of a state of a facet. It is never changed. */
export interface EntryDocument {
  /** `<run>/<facet>/<time>`: what identifies an announcement. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly runId: string;
  /** Position in the history, from 1. */
  readonly sequence: number;
  readonly facet: FacetName;
  readonly state: FacetState;
  readonly at: Date;
  readonly recordedAt: Date;
  readonly author: string;
  readonly reason?: string;
  readonly phase: Phase;
  readonly isLate: boolean;
}

/** Entries of histories. */
export const entriesCollection = defineCollection<EntryDocument>({
  name: 'liveRunEntries',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'runId',
      'sequence',
      'facet',
      'state',
      'at',
      'recordedAt',
      'author',
      'phase',
      'isLate',
    ],
    properties: {
      revision: baseFields.revision,
      runId: { bsonType: 'string' },
      sequence: { bsonType: 'int', minimum: 1 },
      facet: { enum: [...facetNames] },
      state: { bsonType: 'string' },
      at: { bsonType: 'date' },
      recordedAt: { bsonType: 'date' },
      author: { bsonType: 'string' },
      reason: { bsonType: 'string', minLength: 1, maxLength: 1000 },
      phase: { enum: [...phases] },
      isLate: { bsonType: 'bool' },
    },
  },
  indexes: [
    {
      name: 'runId_sequence_uq',
      keys: { runId: 1, sequence: -1 },
      options: { unique: true },
      why: 'the history of a run, the newest first',
    },
  ],
});

/** A super time frame. */
export interface FrameDocument {
  /** `<run>/<number>`, the number with eight digits. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly runId: string;
  readonly number: number;
  /** Position in the order of announcement, from 1. */
  readonly sequence: number;
  readonly location: string;
  readonly bytes: number;
  readonly recordedAt: Date;
  readonly announcedAt: Date;
  /** Time at which the slices of a path were published. */
  readonly fed: Readonly<Partial<Record<PathName, Date>>>;
  /** Completed slices by path. */
  readonly done: Readonly<Partial<Record<PathName, number>>>;
}

const daySeconds = 86_400;

/** Frames; kept for 30 days. */
export const framesCollection = defineCollection<FrameDocument>({
  name: 'liveFrames',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'runId',
      'number',
      'sequence',
      'location',
      'bytes',
      'recordedAt',
      'announcedAt',
      'fed',
      'done',
    ],
    properties: {
      revision: baseFields.revision,
      runId: { bsonType: 'string' },
      number: { bsonType: 'int', minimum: 0 },
      sequence: { bsonType: 'int', minimum: 1 },
      location: { bsonType: 'string' },
      bytes: { bsonType: ['int', 'long', 'double'], minimum: 0 },
      recordedAt: { bsonType: 'date' },
      announcedAt: { bsonType: 'date' },
      fed: { bsonType: 'object' },
      done: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'runId_sequence_uq',
      keys: { runId: 1, sequence: 1 },
      options: { unique: true },
      why: 'the frames of a run behind the cursor of a path, and the newest ones',
    },
    {
      name: 'announcedAt_ttl',
      keys: { announcedAt: 1 },
      options: { expireAfterSeconds: 30 * daySeconds },
      why: 'frames of a month ago, which are removed',
    },
  ],
});

/** Histogram: numbers of values by bucket. */
export type Histogram = Readonly<Record<string, number>>;

/** Steps on the way of a slice, and the whole way. */
export const latencySteps = ['ANNOUNCE', 'FEED', 'WAIT', 'WORK', 'TOTAL'] as const;
export type LatencyStep = (typeof latencySteps)[number];

/** A slow slice. */
export interface SlowSlice {
  readonly frame: number;
  readonly slice: number;
  readonly seconds: number;
  readonly site: string | null;
  readonly jobId: string;
}

/** Slices at a site. */
export interface SiteSums {
  readonly site: string | null;
  readonly completed: number;
  readonly seconds: number;
}

/** Results of a lane, derived from core's stream together with its cursor. */
export interface ResultsDocument {
  /** `<run>/<path>/<lane>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  readonly runId: string;
  readonly path: PathName;
  readonly lane: number;
  /** Position of core's stream. */
  readonly cursor: string;
  readonly completed: number;
  readonly seconds: number;
  readonly latency: Readonly<Record<LatencyStep, Histogram>>;
  readonly slowest: readonly SlowSlice[];
  readonly sites: readonly SiteSums[];
  /** Failed attempts by site, as core counts them. */
  readonly failures: readonly { readonly site: string | null; readonly failedAttempts: number }[];
  /** True if core's stream no longer reached back: some results are not in the sums here. */
  readonly hasGap: boolean;
}

/** Results. */
export const resultsCollection = defineCollection<ResultsDocument>({
  name: 'liveResults',
  schemaVersion: 1,
  validator: {
    required: [
      ...['revision', 'updatedAt', 'runId', 'path', 'lane', 'cursor', 'completed', 'seconds', 'latency'],
      ...['slowest', 'sites', 'failures', 'hasGap'],
    ],
    properties: {
      revision: baseFields.revision,
      updatedAt: baseFields.updatedAt,
      runId: { bsonType: 'string' },
      path: { enum: [...pathNames] },
      lane: { bsonType: 'int', minimum: 0 },
      cursor: { bsonType: 'string' },
      completed: { bsonType: ['int', 'long'], minimum: 0 },
      seconds: { bsonType: ['int', 'long', 'double'], minimum: 0 },
      latency: { bsonType: 'object', required: [...latencySteps] },
      slowest: { bsonType: 'array', maxItems: 20 },
      sites: { bsonType: 'array', maxItems: 200 },
      failures: { bsonType: 'array', maxItems: 200 },
      hasGap: { bsonType: 'bool' },
    },
  },
  indexes: [{ name: 'runId_idx', keys: { runId: 1 }, why: 'the results of a run' }],
});

/** Collections of live runs. */
export const liveCollections = [
  liveRunsCollection,
  entriesCollection,
  framesCollection,
  resultsCollection,
  decisionsCollection,
  breakersCollection,
  claimsCollection,
] as unknown as readonly CollectionDefinition[];
