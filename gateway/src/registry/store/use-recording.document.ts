/** Stored document of the start of use recording. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Start of use recording. */
export interface UseRecordingDocument {
  /** `fields`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Recorded use is complete from this time on. */
  readonly recordedSince: Date;
}

/** Collection of one document. */
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
