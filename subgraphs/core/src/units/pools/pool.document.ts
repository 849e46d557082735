import { baseFields, defineCollection } from '@rhizome/mongo';

/** States of a pool. */
export const poolStates = ['OPEN', 'CLOSED'] as const;

/** One of {@link poolStates}. */
export type PoolState = (typeof poolStates)[number];

/** Settings of a pool. */
export interface PoolSettings {
  /** Time after which a leased unit that is neither reported nor extended is leased again. */
  readonly leaseSeconds: number;
  /** Attempts of a unit before it is a dead letter. */
  readonly maxAttempts: number;
  /** Pause before the second attempt; it doubles with each further one, up to an hour. */
  readonly backoffSeconds: number;
  /** Most units that wait; above it, publishing is refused. */
  readonly maxWaitingUnits: number;
  /** Most bytes of the payloads of units that wait. */
  readonly maxWaitingBytes: number;
  /** Most units that one job holds; absent for no limit. */
  readonly maxLeasedPerJob?: number;
  /** Time for which completed units are kept. */
  readonly retentionSeconds: number;
}

/** Numbers of units whose blocks have ended, and are no longer added up when totals are read. */
export interface RemovedUnits {
  readonly completed: number;
  readonly dead: number;
  readonly failures: number;
  readonly seconds: number;
}

/** Set of work units of an experiment. */
export interface PoolDocument {
  /** `pool_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  /** Subject of the principal that created it. */
  readonly owner: string;
  readonly state: PoolState;
  readonly closedAt?: Date;
  readonly taskId?: string;
  /** Name of the run of the experiment that the units belong to. */
  readonly run?: string;
  readonly settings: PoolSettings;
  /** Digest of the input, by which a repeated call is recognised. */
  readonly digest: string;
  /** Number of blocks published so far. */
  readonly blocks: number;
  readonly removed: RemovedUnits;
}

const text = { bsonType: 'string', minLength: 1 } as const;

/** Pools of all experiments. */
export const poolsCollection = defineCollection<PoolDocument>({
  name: 'workPools',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'experiment',
      'name',
      'owner',
      'state',
      'settings',
      'digest',
      'blocks',
      'removed',
    ],
    properties: {
      ...baseFields,
      experiment: text,
      name: text,
      owner: text,
      state: { enum: [...poolStates] },
      closedAt: { bsonType: 'date' },
      taskId: text,
      run: text,
      settings: {
        bsonType: 'object',
        required: [
          'leaseSeconds',
          'maxAttempts',
          'backoffSeconds',
          'maxWaitingUnits',
          'maxWaitingBytes',
          'retentionSeconds',
        ],
      },
      digest: text,
      blocks: { bsonType: 'number', minimum: 0 },
      removed: { bsonType: 'object', required: ['completed', 'dead', 'failures', 'seconds'] },
    },
  },
  indexes: [
    {
      name: 'experiment_name_uq',
      keys: { experiment: 1, name: 1 },
      options: { unique: true },
      why: 'a pool by its name; the pools of an experiment',
    },
  ],
});
