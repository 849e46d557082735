/** Collections of the lease clock and of the gateways' reports. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import type { GatewayReportDocument, LeaseClockDocument } from './lease-clock.types.js';

const text = { bsonType: 'string' };
const time = { bsonType: 'date' };
const number = { bsonType: 'number', minimum: 0 };

/** Collection with one document: the lease clock. */
export const leaseClockCollection = defineCollection<LeaseClockDocument>({
  name: 'leaseClock',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'epoch', 'state', 'since'],
    properties: {
      ...baseFields,
      revision: { bsonType: 'number', minimum: 1 },
      epoch: number,
      state: { enum: ['RUNNING', 'STOPPED', 'POSTPONED'] },
      reason: text,
      since: time,
      checkedAt: time,
      silentWorkers: number,
      workers: number,
      postponement: { bsonType: 'object' },
    },
  },
});

/** Collection of the latest report of each gateway. */
export const gatewayReportsCollection = defineCollection<GatewayReportDocument>({
  name: 'gatewayReports',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'isAcceptingPilots'],
    properties: {
      ...baseFields,
      revision: { bsonType: 'number', minimum: 1 },
      isAcceptingPilots: { bsonType: 'bool' },
    },
  },
  indexes: [
    {
      name: 'updatedAt_ttl',
      keys: { updatedAt: 1 },
      options: { expireAfterSeconds: retention.gatewayReport },
      why: 'the latest report; reports of gateways that have ended are removed',
    },
  ],
});
