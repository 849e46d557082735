import { defineCollection } from '@rhizome/mongo';
import type { DecisionFacts } from './fleet.types.js';

/** Decision about a fleet; kept for `retention.fleetDecision`. */
export interface FleetDecisionDocument extends DecisionFacts {
  /** `decision_…`; contains the fleet and the number of the change. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly fleetId: string;
  readonly at: Date;
  readonly expiresAt: Date;
}

/** Decisions of all fleets. */
export const fleetDecisionsCollection = defineCollection<FleetDecisionDocument>({
  name: 'fleetDecisions',
  schemaVersion: 1,
  validator: {
    required: [
      'fleetId',
      'at',
      'expiresAt',
      'reason',
      'message',
      'by',
      'target',
      'previousTarget',
      'jobs',
      'started',
      'released',
      'cancelled',
    ],
    properties: {
      fleetId: { bsonType: 'string' },
      at: { bsonType: 'date' },
      expiresAt: { bsonType: 'date' },
      reason: { bsonType: 'string' },
      message: { bsonType: 'string' },
      by: { bsonType: 'string' },
      target: { bsonType: 'number' },
      previousTarget: { bsonType: 'number' },
      jobs: { bsonType: 'number' },
      waiting: { bsonType: 'number' },
      lagSeconds: { bsonType: 'number' },
      started: { bsonType: 'number' },
      released: { bsonType: 'number' },
      cancelled: { bsonType: 'number' },
    },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes decisions after 30 days',
    },
  ],
});

/** Id of a decision; later ones of a fleet sort behind earlier ones. */
export function decisionIdOf(fleetId: string, step: number): string {
  return `${decisionPrefixOf(fleetId)}${String(step).padStart(12, '0')}`;
}

/** True for the id of a decision about the fleet. */
export function isDecisionOf(fleetId: string, id: string): boolean {
  return id.startsWith(decisionPrefixOf(fleetId));
}

/** Beginning of the ids of the decisions of a fleet. */
export function decisionPrefixOf(fleetId: string): string {
  return `decision_${fleetId.slice(fleetId.indexOf('_') + 1)}.`;
}
