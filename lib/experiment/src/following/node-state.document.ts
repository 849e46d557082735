/** The newest job of each node of a workflow, derived from events, and the one before it. */
import { defineCollection } from '@rhizome/mongo';

/** The job of a node as it was last seen. */
export interface NodeRun {
  readonly jobId: string;
  /** Revision of the job. */
  readonly jobRevision: number;
  /** State of the job in core. */
  readonly state: string;
  readonly isHeld: boolean;
  /** Memory of the next or current attempt, which rules for failures may have changed. */
  readonly memoryMiB: number;
  readonly cores: number;
  readonly attempts: number;
  /** Start of the first attempt. */
  readonly startedAt?: Date;
  /** End of the latest attempt. */
  readonly endedAt?: Date;
  /** Of all attempts, from their starts to their ends. */
  readonly coreSeconds: number;
  /** Part of `coreSeconds`: of attempts that did not succeed. */
  readonly lostCoreSeconds: number;
  /** Of the latest attempt. */
  readonly wallSeconds?: number;
  readonly peakMemoryMiB?: number;
  /** Site of the latest attempt. */
  readonly site?: string;
  readonly exitCode?: number;
  readonly errorCode?: string;
  /** At most 300 characters. */
  readonly errorMessage?: string;
}

/** One node of a workflow. There is none before its first job. */
export interface NodeStateDocument {
  /** As that of a position: `<submission>/<position, seven digits>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  readonly run: NodeRun;
  /** The job before, if the node was retried. */
  readonly before?: NodeRun;
  /** Time of all earlier jobs, if the node was retried. */
  readonly spent?: SpentSeconds;
}

/** Time that jobs took. */
export type SpentSeconds = Pick<NodeRun, 'coreSeconds' | 'lostCoreSeconds'>;

const amount = { bsonType: 'number', minimum: 0 } as const;
const text = { bsonType: 'string' } as const;
const run = {
  bsonType: 'object',
  required: [
    ...['jobId', 'jobRevision', 'state', 'isHeld', 'memoryMiB', 'cores', 'attempts'],
    ...['coreSeconds', 'lostCoreSeconds'],
  ],
  additionalProperties: false,
  properties: {
    jobId: text,
    jobRevision: amount,
    state: text,
    isHeld: { bsonType: 'bool' },
    memoryMiB: amount,
    cores: amount,
    attempts: amount,
    startedAt: { bsonType: 'date' },
    endedAt: { bsonType: 'date' },
    coreSeconds: amount,
    lostCoreSeconds: amount,
    wallSeconds: amount,
    peakMemoryMiB: amount,
    site: text,
    exitCode: { bsonType: 'number' },
    errorCode: text,
    errorMessage: { bsonType: 'string', maxLength: 300 },
  },
} as const;

/** Nodes of workflows. */
export const nodeStatesCollection = defineCollection<NodeStateDocument>({
  name: 'nodeStates',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'updatedAt', 'run'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      updatedAt: { bsonType: 'date' },
      run,
      before: run,
      spent: {
        bsonType: 'object',
        required: ['coreSeconds', 'lostCoreSeconds'],
        additionalProperties: false,
        properties: { coreSeconds: amount, lostCoreSeconds: amount },
      },
    },
  },
});
