/** Stored mandates: changes of one kind that a person approves in advance. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StoredCaller } from '../proposals/proposal.document.js';

/** A mandate. */
export interface MandateDocument {
  /** `mandate_…`, a digest of the grantor, the agent and the changes: an equal grant changes its limits. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly agent: string;
  readonly grantor: string;
  readonly experiment: string;
  readonly mutation: string;
  /** JSON text of the fields of the input that must be as given. */
  readonly fixed: string;
  /** Fields of the input that the agent chooses. */
  readonly free: readonly string[];
  /** Objects changed in one day, in UTC. */
  readonly maxPerDay: number;
  readonly reason: string;
  readonly expiresAt: Date;
  /** The grantor, without its token. */
  readonly caller: StoredCaller;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
  /** Time at which the record is removed. */
  readonly removeAt: Date;
}

const text = { bsonType: 'string' };
const date = { bsonType: 'date' };

/** Mandates. */
export const mandatesCollection = defineCollection<MandateDocument>({
  name: 'mandates',
  schemaVersion: 1,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'agent', 'grantor', 'experiment', 'mutation', 'fixed'],
      ...['free', 'maxPerDay', 'reason', 'expiresAt', 'caller', 'revokedAt', 'revokedBy', 'removeAt'],
    ],
    properties: {
      ...baseFields,
      agent: text,
      grantor: text,
      experiment: text,
      mutation: text,
      fixed: text,
      free: { bsonType: 'array', maxItems: 100 },
      maxPerDay: { bsonType: 'int', minimum: 1 },
      reason: text,
      expiresAt: date,
      caller: { bsonType: 'object' },
      revokedAt: { bsonType: ['date', 'null'] },
      revokedBy: { bsonType: ['string', 'null'] },
      removeAt: date,
    },
  },
  indexes: [
    {
      name: 'agent_mutation_experiment_idx',
      keys: { agent: 1, mutation: 1, experiment: 1 },
      why: 'the mandates that a proposal may fit',
    },
    { name: 'grantor_createdAt_idx', keys: { grantor: 1, createdAt: -1 }, why: 'the mandates of a person' },
    {
      name: 'experiment_createdAt_idx',
      keys: { experiment: 1, createdAt: -1 },
      why: 'the mandates of an experiment',
    },
    { name: 'createdAt_idx', keys: { createdAt: -1 }, why: 'all mandates, the newest first' },
    {
      name: 'removeAt_ttl',
      keys: { removeAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes old mandates',
    },
  ],
});
