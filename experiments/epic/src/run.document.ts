/** The stored shape of a run: its input, in addition to the fields of every submission. */
import { defineSubmissions, type SubmissionDocument } from '@rhizome/experiment';

/** A stored run. `amounts.processedFrames`, `.processedGroups` and `.lostGroups` are derived from events. */
export interface RunDocument extends SubmissionDocument {
  readonly runNumber: number;
  readonly detectorConfiguration: string;
  readonly superTimeFrames: number;
  readonly framesPerGroup: number;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly outputs: readonly string[];
  /** Absent: nothing merges the groups. */
  readonly merge?: {
    readonly command: string;
    readonly arguments: readonly string[];
    readonly outputs: readonly string[];
  };
  readonly cores: number;
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
  readonly maxAttempts: number;
  readonly requireDetectorLabel: boolean;
}

const texts = (maxItems: number) => ({ bsonType: 'array', items: { bsonType: 'string' }, maxItems });

/** Runs. */
export const runsCollection = defineSubmissions<RunDocument>({
  name: 'runs',
  schemaVersion: 1,
  required: [
    ...[
      'runNumber',
      'detectorConfiguration',
      'superTimeFrames',
      'framesPerGroup',
      'command',
      'arguments',
      'outputs',
    ],
    ...['cores', 'memoryMiB', 'walltimeSeconds', 'maxAttempts', 'requireDetectorLabel'],
  ],
  properties: {
    runNumber: { bsonType: 'int', minimum: 1 },
    detectorConfiguration: { bsonType: 'string' },
    superTimeFrames: { bsonType: 'int', minimum: 1, maximum: 10_000_000 },
    framesPerGroup: { bsonType: 'int', minimum: 1, maximum: 10_000_000 },
    command: { bsonType: 'string' },
    arguments: texts(900),
    outputs: texts(100),
    merge: {
      bsonType: 'object',
      required: ['command', 'arguments', 'outputs'],
      additionalProperties: false,
      properties: { command: { bsonType: 'string' }, arguments: texts(900), outputs: texts(100) },
    },
    cores: { bsonType: 'int' },
    memoryMiB: { bsonType: 'int' },
    walltimeSeconds: { bsonType: 'int' },
    maxAttempts: { bsonType: 'int' },
    requireDetectorLabel: { bsonType: 'bool' },
  },
  indexes: [
    {
      name: 'runNumber_uq',
      keys: { runNumber: 1 },
      options: { unique: true },
      why: 'the run of a number, of which there is one',
    },
  ],
});
