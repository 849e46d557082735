/** The stored shape of an observation: its input, in addition to the fields of every submission. */
import { defineSubmissions, type SubmissionDocument } from '@rhizome/experiment';

/** Bands of the filters, as in the SDL. */
export const bands = ['BLUE', 'RED', 'INFRARED'] as const;

/** A stored observation. `amounts.calibratedExposures` is derived from events. */
export interface ObservationDocument extends SubmissionDocument {
  readonly field: string;
  readonly band: (typeof bands)[number];
  readonly exposures: number;
  readonly exposureSeconds: number;
  readonly command: string;
  readonly arguments: readonly string[];
  /** Value of the workers' label `larkspur-calibration`; absent: any worker will do. */
  readonly calibration?: string;
}

/** Observations. */
export const observationsCollection = defineSubmissions<ObservationDocument>({
  name: 'observations',
  schemaVersion: 1,
  required: ['field', 'band', 'exposures', 'exposureSeconds', 'command', 'arguments'],
  properties: {
    field: { bsonType: 'string' },
    band: { enum: [...bands] },
    exposures: { bsonType: 'int', minimum: 1, maximum: 1000 },
    exposureSeconds: { bsonType: 'number' },
    command: { bsonType: 'string' },
    arguments: { bsonType: 'array', items: { bsonType: 'string' }, maxItems: 900 },
    calibration: { bsonType: 'string' },
  },
});
