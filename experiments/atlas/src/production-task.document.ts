/** The stored shape of a production task: its input, in addition to the fields of every submission. */
import {
  defineSubmissions,
  type JobResources,
  jobResourcesSchema,
  type SubmissionDocument,
} from '@rhizome/experiment';

/** The steps of a chain, in its order. */
export const steps = ['EVGEN', 'SIMUL', 'RECO', 'MERGE'] as const;

/** One of {@link steps}. */
export type Step = (typeof steps)[number];

/** The program of one step. */
export interface StoredTransform {
  readonly step: Step;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly outputs: readonly string[];
  /** Resources of the step's jobs that differ from the task's. */
  readonly resources?: JobResources;
}

/** A stored production task. `amounts.processedEvents` is derived from events of jobs. */
export interface ProductionTaskDocument extends SubmissionDocument {
  readonly campaign: string;
  readonly requestId: number;
  readonly physicsShort: string;
  readonly totalEvents: number;
  readonly eventsPerJob: number;
  /** In the order of the chain; a merge is the last. */
  readonly transforms: readonly StoredTransform[];
  readonly cores: number;
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
  /** Value of the workers' label `atlas-release`; absent: any worker will do. */
  readonly release?: string;
  readonly seed: number;
  readonly maxAttempts: number;
  /** Number of jobs that run first; absent: none. */
  readonly scouts?: number;
  /** Absent: the first share of the experiment. */
  readonly share?: string;
}

const texts = (maxItems: number) => ({ bsonType: 'array', items: { bsonType: 'string' }, maxItems });

/** Production tasks. */
export const productionTasksCollection = defineSubmissions<ProductionTaskDocument>({
  name: 'productionTasks',
  schemaVersion: 1,
  required: [
    ...['campaign', 'requestId', 'physicsShort', 'totalEvents', 'eventsPerJob', 'transforms'],
    ...['cores', 'memoryMiB', 'walltimeSeconds', 'seed', 'maxAttempts'],
  ],
  properties: {
    campaign: { bsonType: 'string' },
    requestId: { bsonType: 'int', minimum: 1 },
    physicsShort: { bsonType: 'string' },
    totalEvents: { bsonType: 'int', minimum: 1, maximum: 100_000_000 },
    eventsPerJob: { bsonType: 'int', minimum: 1, maximum: 100_000_000 },
    transforms: {
      bsonType: 'array',
      minItems: 1,
      maxItems: steps.length,
      items: {
        bsonType: 'object',
        required: ['step', 'command', 'arguments', 'outputs'],
        additionalProperties: false,
        properties: {
          step: { enum: [...steps] },
          command: { bsonType: 'string' },
          arguments: texts(900),
          outputs: texts(100),
          resources: jobResourcesSchema,
        },
      },
    },
    cores: { bsonType: 'int' },
    memoryMiB: { bsonType: 'int' },
    walltimeSeconds: { bsonType: 'int' },
    release: { bsonType: 'string' },
    seed: { bsonType: 'int', minimum: 0 },
    maxAttempts: { bsonType: 'int' },
    scouts: { bsonType: 'int' },
    share: { bsonType: 'string' },
  },
  indexes: [
    {
      name: 'campaign_idx',
      keys: { campaign: 1, _id: 1 },
      why: 'production tasks of a campaign, newest first',
    },
  ],
});
