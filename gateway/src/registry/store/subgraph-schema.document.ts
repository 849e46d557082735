/** Stored document of a subgraph's SDL, which versions share. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** An SDL. */
export interface SubgraphSchemaDocument {
  /** SHA-256 of the SDL in canonical spelling, in hex. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly sdl: string;
}

/** SDLs by their digest. */
export const subgraphSchemasCollection = defineCollection<SubgraphSchemaDocument>({
  name: 'subgraphSchemas',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'sdl'],
    properties: {
      _id: { bsonType: 'string', pattern: '^[0-9a-f]{64}$' },
      ...baseFields,
      sdl: { bsonType: 'string', maxLength: 4_000_000 },
    },
  },
});
