/** Stored shapes of the feed of live runs: decisions of the regulator, breakers of sites, and claims. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import {
  breakerStates,
  type BreakerState,
  type FeedReason,
  feedReasons,
  pathNames,
  type PathName,
} from './live-run.types.js';

const daySeconds = 86_400;

/** A decision of the regulator. */
export interface DecisionDocument {
  /** `<run>/<path>/<lane>/<sequence>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly runId: string;
  readonly path: PathName;
  readonly queue: string | null;
  readonly at: Date;
  readonly reason: FeedReason;
  readonly message: string;
  readonly depthHours: number | null;
}

/** Decisions; kept for 30 days. */
export const decisionsCollection = defineCollection<DecisionDocument>({
  name: 'liveDecisions',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'runId', 'path', 'queue', 'at', 'reason', 'message', 'depthHours'],
    properties: {
      revision: baseFields.revision,
      runId: { bsonType: 'string' },
      path: { enum: [...pathNames] },
      queue: { bsonType: ['string', 'null'] },
      at: { bsonType: 'date' },
      reason: { enum: [...feedReasons] },
      message: { bsonType: 'string' },
      depthHours: { bsonType: ['double', 'int', 'long', 'null'] },
    },
  },
  indexes: [
    { name: 'runId_at_idx', keys: { runId: 1, at: -1 }, why: 'the decisions about a run, the newest first' },
    {
      name: 'at_ttl',
      keys: { at: 1 },
      options: { expireAfterSeconds: 30 * daySeconds },
      why: 'decisions of a month ago, which are removed',
    },
  ],
});

/** The breaker of a site. */
export interface BreakerDocument {
  /** Name of the site. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly state: BreakerState;
  readonly since: Date;
  readonly reason: string;
  readonly by: string;
}

/** Breakers of sites. */
export const breakersCollection = defineCollection<BreakerDocument>({
  name: 'liveBreakers',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'state', 'since', 'reason', 'by'],
    properties: {
      revision: baseFields.revision,
      state: { enum: [...breakerStates] },
      since: { bsonType: 'date' },
      reason: { bsonType: 'string' },
      by: { bsonType: 'string' },
    },
  },
});

/** Right of a process to act for a run, until a time of the store. */
export interface ClaimDocument {
  /** The run. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly holder: string;
  readonly until: Date;
}

/** Claims. */
export const claimsCollection = defineCollection<ClaimDocument>({
  name: 'liveClaims',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'holder', 'until'],
    properties: {
      revision: baseFields.revision,
      holder: { bsonType: 'string' },
      until: { bsonType: 'date' },
    },
  },
});
