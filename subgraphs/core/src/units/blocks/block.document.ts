import { baseFields, defineCollection } from '@rhizome/mongo';
import type { Block } from './unit.types.js';

/** Most units of a block. */
export const maxUnitsOfBlock = 1000;
/** Most bytes of the payloads of a block, unless it has one unit: a lease reads them together. */
export const maxBytesOfBlock = 1_048_576;

/** Values that follow from the units of a block; queries find blocks by them. */
export interface BlockHeader {
  readonly waiting: number;
  readonly leased: number;
  readonly completed: number;
  readonly dead: number;
  /** Bytes of the payloads of the units that wait. */
  readonly waitingBytes: number;
  /** Failed attempts. */
  readonly failures: number;
  /** Seconds of the completed units. */
  readonly seconds: number;
  /** Time from which the first unit can be leased. */
  readonly readyAt?: Date;
  /** Publication of the oldest unit that waits. */
  readonly waitingSince?: Date;
  /** Next end of a lease or deadline. */
  readonly sweepAt?: Date;
  /** Ordering keys of units that have not ended. */
  readonly openKeys?: readonly string[];
  /** Jobs that hold units. */
  readonly holders?: readonly string[];
  /** Time at which the block can be removed; absent while a unit has not ended. */
  readonly expiresAt?: Date;
}

/** Fields of a header that a block may lack. */
export const optionalHeaderFields = [
  'readyAt',
  'waitingSince',
  'sweepAt',
  'openKeys',
  'holders',
  'expiresAt',
] as const satisfies (keyof BlockHeader)[];

/** Units that were published together; a change of many is one write of their block. */
export interface BlockDocument extends Block, BlockHeader {
  readonly schemaVersion: number;
  /** Set until the numbers of the block are added to those of its pool. */
  readonly isCounted?: true;
  readonly updatedAt: Date;
  readonly poolId: string;
}

const count = { bsonType: 'number', minimum: 0 } as const;
const date = { bsonType: 'date' } as const;
const list = { bsonType: 'array', maxItems: maxUnitsOfBlock } as const;
const exists = (field: string) => ({ partialFilterExpression: { [field]: { $exists: true } } });

/** Blocks of all pools. The validator does not look into units: it would cost more than the update. */
export const blocksCollection = defineCollection<BlockDocument>({
  name: 'unitBlocks',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'poolId',
      'sequence',
      'priority',
      'units',
      'waiting',
      'leased',
      'completed',
      'dead',
      'waitingBytes',
      'failures',
      'seconds',
    ],
    properties: {
      ...baseFields,
      poolId: { bsonType: 'string' },
      sequence: count,
      priority: count,
      units: { ...list, minItems: 1 },
      waiting: count,
      leased: count,
      completed: count,
      dead: count,
      waitingBytes: count,
      failures: count,
      seconds: count,
      readyAt: date,
      waitingSince: date,
      sweepAt: date,
      openKeys: list,
      holders: list,
      expiresAt: date,
      isCounted: { enum: [true] },
    },
  },
  indexes: [
    {
      name: 'poolId_priority_sequence_idx',
      keys: { poolId: 1, priority: -1, sequence: 1, readyAt: 1 },
      options: exists('readyAt'),
      why: 'the next blocks with units to lease, by priority and age',
    },
    {
      name: 'poolId_isCounted_idx',
      keys: {
        poolId: 1,
        isCounted: 1,
        waiting: 1,
        leased: 1,
        completed: 1,
        dead: 1,
        waitingBytes: 1,
        failures: 1,
        seconds: 1,
        waitingSince: 1,
      },
      options: exists('isCounted'),
      why: 'totals of a pool, without reading its blocks',
    },
    {
      name: 'poolId_openKeys_idx',
      keys: { poolId: 1, openKeys: 1, sequence: 1 },
      options: exists('openKeys'),
      why: 'earlier units with an ordering key',
    },
    {
      name: 'poolId_sequence_idx',
      keys: { poolId: 1, sequence: 1 },
      options: { partialFilterExpression: { dead: { $gt: 0 } } },
      why: 'dead letters of a pool',
    },
    {
      name: 'holders_idx',
      keys: { holders: 1 },
      options: exists('holders'),
      why: 'units of a job',
    },
    {
      name: 'sweepAt_idx',
      keys: { sweepAt: 1 },
      options: exists('sweepAt'),
      why: 'leases that have ended and deadlines that have passed',
    },
    {
      name: 'isCounted_expiresAt_idx',
      keys: { isCounted: 1, expiresAt: 1 },
      options: {
        partialFilterExpression: { isCounted: { $exists: true }, expiresAt: { $exists: true }, dead: 0 },
      },
      why: 'ended blocks whose numbers are not added to their pool yet',
    },
    {
      name: 'expiresAt_idx',
      keys: { expiresAt: 1 },
      options: exists('expiresAt'),
      why: 'blocks that can be removed',
    },
  ],
});
