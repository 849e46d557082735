import { defineCollection } from '@rhizome/mongo';

/** How far a consumer of the event stream has come. */
export interface ConsumerDocument {
  /** The consumer's name. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly cursor: string;
  readonly updatedAt: Date;
}

/** Places in the event stream, so that whoever leads next goes on where the last one was. */
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
