import { defineCollection } from '@rhizome/mongo';

/** Position of a consumer in the event stream. */
export interface ConsumerDocument {
  /** Name of the consumer. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly cursor: string;
  readonly updatedAt: Date;
}

/** Positions in the event stream, from which the next leader continues. */
export const consumersCollection = defineCollection<ConsumerDocument>({
  name: 'consumers',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'cursor', 'updatedAt'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      cursor: { bsonType: 'string' },
      updatedAt: { bsonType: 'date' },
    },
  },
});
