import { defineCollection } from '@rhizome/mongo';

/** Content of a unit: a text, or the location of its data. */
export interface UnitPayload {
  readonly payload?: string;
  readonly reference?: string;
}

/** Payloads of the units of a block. They never change, so that the changing block stays small. */
export interface UnitPayloadsDocument {
  /** The block. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly payloads: readonly UnitPayload[];
}

/** Payloads of all blocks. */
export const unitPayloadsCollection = defineCollection<UnitPayloadsDocument>({
  name: 'unitPayloads',
  schemaVersion: 1,
  validator: {
    required: ['payloads'],
    properties: { payloads: { bsonType: 'array', minItems: 1, maxItems: 1000 } },
  },
});
