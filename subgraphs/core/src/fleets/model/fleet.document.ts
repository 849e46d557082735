import { baseFields, defineCollection } from '@rhizome/mongo';
import type {
  DecisionFacts,
  FailureStreak,
  FleetMember,
  FleetSettings,
  FleetState,
  FleetTemplate,
  OpenDecision,
  StoredPrewarm,
} from './fleet.types.js';
import { fleetStates, maxFleetJobs } from './fleet.types.js';

/** Stored fleet. */
export interface FleetDocument {
  /** `fleet_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  /** Subject of the principal that created it; the jobs have the same owner. */
  readonly owner: string;
  readonly poolId: string;
  /** Path of the leaf that the jobs are charged to. */
  readonly share: string;
  readonly state: FleetState;
  readonly endedAt?: Date;
  readonly settings: FleetSettings;
  readonly template: FleetTemplate;
  readonly prewarm?: StoredPrewarm;
  /** Number of jobs that is wanted. */
  readonly target: number;
  /** Time at which the target changed last. */
  readonly targetAt: Date;
  readonly members: readonly FleetMember[];
  /** Most jobs that ran together since jobs are being replaced; absent while none is. */
  readonly runningBefore?: number;
  /** Absent unless the latest jobs have failed. */
  readonly failures?: FailureStreak;
  /** Number of the newest change. */
  readonly step: number;
  /** Newest decision, until it is carried out. */
  readonly open?: OpenDecision;
  /** Newest decision. */
  readonly latest?: DecisionFacts & { readonly at: Date };
  /** Digest of the input, by which a repeated call is recognised. */
  readonly digest: string;
}

const text = { bsonType: 'string', minLength: 1 } as const;
const count = { bsonType: 'number', minimum: 0 } as const;
const object = { bsonType: 'object' } as const;

/** Version of the stored form. */
export const fleetSchemaVersion = 1;

/** Fleets of all experiments. */
export const jobFleetsCollection = defineCollection<FleetDocument>({
  name: 'fleets',
  schemaVersion: fleetSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'experiment',
      'name',
      'owner',
      'poolId',
      'share',
      'state',
      'settings',
      'template',
      'target',
      'targetAt',
      'members',
      'step',
      'digest',
    ],
    properties: {
      ...baseFields,
      experiment: text,
      name: text,
      owner: text,
      poolId: text,
      share: text,
      state: { enum: [...fleetStates] },
      endedAt: { bsonType: 'date' },
      settings: { ...object, required: ['min', 'max', 'targetLagSeconds', 'queues'] },
      template: { ...object, required: ['version', 'requirements', 'classId', 'payload'] },
      prewarm: { ...object, required: ['jobs', 'until', 'by'] },
      target: count,
      targetAt: { bsonType: 'date' },
      // Released jobs and their successors may exist together.
      members: { bsonType: 'array', items: object, maxItems: 2 * maxFleetJobs },
      runningBefore: count,
      failures: object,
      step: count,
      open: { ...object, required: ['reason', 'at', 'start', 'cancel', 'overdue'] },
      latest: object,
      digest: text,
    },
  },
  indexes: [
    {
      name: 'experiment_name_uq',
      keys: { experiment: 1, name: 1 },
      options: { unique: true },
      why: 'a fleet by its name; the fleets of an experiment',
    },
    {
      name: 'state_idx',
      keys: { state: 1, _id: 1 },
      why: 'fleets that have not ended, for the leader and for the leases of units',
    },
    {
      name: 'open_idx',
      keys: { _id: 1, step: 1 },
      options: { partialFilterExpression: { open: { $exists: true } } },
      why: 'fleets with a decision to carry out, whatever their state',
    },
    {
      name: 'poolId_idx',
      keys: { poolId: 1, _id: 1 },
      why: 'fleets of a pool',
    },
  ],
});
