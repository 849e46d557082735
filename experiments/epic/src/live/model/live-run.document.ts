/** The stored shape of a live run. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import {
  type FacetName,
  facetNames,
  type FacetState,
  type FeedReason,
  type LiveRunStage,
  liveRunStages,
  type PathName,
  type Phase,
  phases,
} from './live-run.types.js';

/** Settings of a path, as they were announced, with defaults. */
export interface PathSettings {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly image: string | null;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly prewarmedWorkers: number;
  readonly targetLagSeconds: number;
  readonly idleSeconds: number;
  readonly leaseSeconds: number;
  readonly maxAttempts: number;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
  /** Null for a feed without marks. */
  readonly lowMarkHours: number | null;
  readonly highMarkHours: number | null;
}

/** Numbers that core had at a time. */
export interface LaneObservation {
  readonly at: Date;
  readonly waiting: number;
  readonly leased: number;
  readonly completed: number;
  readonly dead: number;
  readonly failedAttempts: number;
  readonly lagSeconds: number;
  readonly targetWorkers: number;
  readonly runningWorkers: number;
  readonly waitingWorkers: number;
  /** Message of the latest decision of the fleet. */
  readonly fleetReason: string | null;
  readonly isFleetEnded: boolean;
  /** True if the pool takes no slices, or the fleet starts no workers any more. */
  readonly isClosed: boolean;
}

/** State of a feed, with its reason. */
export interface FeedState {
  readonly reason: FeedReason;
  readonly message: string;
  readonly by: string | null;
  readonly since: Date;
}

/** A pool and a fleet of core. */
export interface Lane {
  readonly queue: string | null;
  readonly site?: string;
  readonly poolId?: string;
  readonly fleetId?: string;
  /** Subject that owns the fleet: the service of the experiment. */
  readonly fleetOwner?: string;
  /** State into which the fleet was brought. */
  readonly fleetState?: 'RUNNING' | 'PAUSED';
  readonly prewarmedUntil?: Date;
  /** Set once core's pool is closed. */
  readonly isPoolClosed?: boolean;
  /** Slices that were published. */
  readonly published: number;
  readonly feed: FeedState;
  readonly observed?: LaneObservation;
  /** Core seconds of running workers, from samples. */
  readonly heldCoreSeconds: number;
}

/** Frames that are about to be published: stored before core is called, and repeated after a crash. */
export interface FeedIntent {
  /** Position of the lane. */
  readonly lane: number;
  /** Sequence number of the last frame; the first one follows `fed` of the path. */
  readonly to: number;
}

/** A path of a run. */
export interface LivePath {
  readonly settings: PathSettings;
  /** Sequence number of the last frame whose slices were published. */
  readonly fed: number;
  readonly intent?: FeedIntent;
  readonly lanes: readonly Lane[];
}

/** Current state of a facet. */
export interface Facet {
  readonly state: FacetState;
  readonly at: Date;
}

/** Numbers of the frames of a run. */
export interface FrameCounts {
  /** Frames that were announced; also the sequence number of the latest one. */
  readonly announced: number;
  readonly bytes: number;
  /** Smallest and largest number; absent before the first frame. */
  readonly lowest?: number;
  readonly highest?: number;
  /** Intervals of missing numbers, first and last, in order; at most {@link maxGaps}. */
  readonly gaps: readonly (readonly [number, number])[];
  readonly lastAnnouncedAt?: Date;
}

/** Most intervals of missing frames that are listed. */
export const maxGaps = 1000;

/** A stored live run. */
export interface LiveRunDocument {
  /** `epicLiveRun_<ULID>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly runNumber: number;
  readonly detectorConfiguration: string;
  readonly announcedBy: string;
  /** Of the input. */
  readonly digest: string;
  readonly slicesPerFrame: number;
  readonly settleSeconds: number;
  readonly owners: Readonly<Record<FacetName, string>>;
  readonly stage: LiveRunStage;
  readonly phase: Phase;
  readonly phaseSince: Date;
  readonly facets: Readonly<Partial<Record<FacetName, Facet>>>;
  /** Entries of the history. */
  readonly entries: number;
  /** Entries by facet. */
  readonly entriesOf: Readonly<Partial<Record<FacetName, number>>>;
  readonly closesAt?: Date;
  readonly endedAt?: Date;
  /** Error that keeps the work for the run from going on. */
  readonly problem?: string;
  readonly frames: FrameCounts;
  readonly paths: Readonly<Partial<Record<PathName, LivePath>>>;
}

const count = { bsonType: ['int', 'long', 'double'], minimum: 0 };

/** Live runs. */
export const liveRunsCollection = defineCollection<LiveRunDocument>({
  name: 'liveRuns',
  schemaVersion: 1,
  validator: {
    required: [
      ...[
        'revision',
        'createdAt',
        'updatedAt',
        'runNumber',
        'detectorConfiguration',
        'announcedBy',
        'digest',
      ],
      ...[
        'slicesPerFrame',
        'settleSeconds',
        'owners',
        'stage',
        'phase',
        'phaseSince',
        'facets',
        'entries',
        'entriesOf',
      ],
      ...['frames', 'paths'],
    ],
    properties: {
      ...baseFields,
      runNumber: { bsonType: 'int', minimum: 1 },
      detectorConfiguration: { bsonType: 'string' },
      announcedBy: { bsonType: 'string' },
      digest: { bsonType: 'string' },
      slicesPerFrame: { bsonType: 'int', minimum: 1, maximum: 200 },
      settleSeconds: { bsonType: 'int', minimum: 0 },
      owners: { bsonType: 'object', required: [...facetNames] },
      stage: { enum: [...liveRunStages] },
      phase: { enum: [...phases] },
      phaseSince: { bsonType: 'date' },
      facets: { bsonType: 'object' },
      entries: { bsonType: 'int', minimum: 0 },
      entriesOf: { bsonType: 'object' },
      closesAt: { bsonType: 'date' },
      endedAt: { bsonType: 'date' },
      problem: { bsonType: 'string' },
      frames: {
        bsonType: 'object',
        required: ['announced', 'bytes', 'gaps'],
        properties: { announced: count, bytes: count, gaps: { bsonType: 'array', maxItems: maxGaps } },
      },
      paths: {
        bsonType: 'object',
        additionalProperties: {
          bsonType: 'object',
          required: ['settings', 'fed', 'lanes'],
          properties: { fed: count, lanes: { bsonType: 'array', minItems: 1, maxItems: 10 } },
        },
      },
    },
  },
  indexes: [
    {
      name: 'runNumber_uq',
      keys: { runNumber: 1 },
      options: { unique: true },
      why: 'the live run of a number, of which there is one',
    },
    {
      name: 'stage_idx',
      keys: { stage: 1, _id: 1 },
      why: 'runs that have not ended, several times a second',
    },
  ],
});
