/** The stored shape of the fact that use is recorded. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Since when use is recorded. */
export interface UseRecordingDocument {
  /** `fields`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Use is complete from here on. */
  readonly recordedSince: Date;
}

/** One document. */
export const useRecordingsCollection = defineCollection<UseRecordingDocument>({
  name: 'useRecordings',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'recordedSince'],
    properties: {
      ...baseFields,
      recordedSince: { bsonType: 'date' },
    },
  },
});
