/** The stored shapes of workflows and their quanta. */
import {
  defineSubmissions,
  type JobResources,
  jobResourcesSchema,
  type SubmissionDocument,
} from '@rhizome/experiment';
import { baseFields, defineCollection } from '@rhizome/mongo';

/** A stored workflow; its quanta have a collection of their own. */
export interface WorkflowDocument extends SubmissionDocument {
  readonly name: string;
  readonly pipeline: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
  readonly totalQuanta: number;
  /** Value of the workers' label `rubin-release`; absent: any worker will do. */
  readonly release?: string;
  /** Labels whose jobs differ from the others; absent if there are none. */
  readonly labels?: readonly StoredLabel[];
  /** Number of quanta of each node in order, without the final job; absent if each node is one quantum. */
  readonly nodeSizes?: readonly number[];
  /** The job that is run last; absent if there is none. */
  readonly finalJob?: FinalJob;
}

/** A label whose jobs differ from the others. */
export interface StoredLabel {
  readonly label: string;
  readonly resources: JobResources;
  readonly retry?: LabelRetry;
}

/** Retry policy of the jobs of a label, in the words of core. */
export interface LabelRetry {
  readonly maxAttempts?: number;
  readonly memoryFactor?: number;
  readonly maxMemoryMiB?: number;
}

/** The job that is run last. */
export interface FinalJob {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
}

const args = { bsonType: 'array', items: { bsonType: 'string' }, maxItems: 900 } as const;

/** Quanta of a workflow at most. */
export const maxQuanta = 20_000;

/** Workflows. Those of version 1 may be tasks of core. */
export const workflowsCollection = defineSubmissions<WorkflowDocument>({
  name: 'workflows',
  schemaVersion: 2,
  areWorkflows: true,
  required: ['name', 'pipeline', 'command', 'arguments', 'memoryMiB', 'walltimeSeconds', 'totalQuanta'],
  properties: {
    name: { bsonType: 'string' },
    pipeline: { bsonType: 'string' },
    command: { bsonType: 'string' },
    arguments: args,
    memoryMiB: { bsonType: 'int' },
    walltimeSeconds: { bsonType: 'int' },
    totalQuanta: { bsonType: 'int', minimum: 1 },
    release: { bsonType: 'string' },
    labels: {
      bsonType: 'array',
      maxItems: 200,
      items: {
        bsonType: 'object',
        required: ['label', 'resources'],
        additionalProperties: false,
        properties: {
          label: { bsonType: 'string' },
          resources: jobResourcesSchema,
          retry: {
            bsonType: 'object',
            additionalProperties: false,
            properties: {
              maxAttempts: { bsonType: 'int' },
              memoryFactor: { bsonType: 'number' },
              maxMemoryMiB: { bsonType: 'int' },
            },
          },
        },
      },
    },
    nodeSizes: { bsonType: 'array', maxItems: maxQuanta, items: { bsonType: 'int', minimum: 1 } },
    finalJob: {
      bsonType: 'object',
      required: ['command', 'arguments', 'memoryMiB', 'walltimeSeconds'],
      additionalProperties: false,
      properties: {
        command: { bsonType: 'string' },
        arguments: args,
        memoryMiB: { bsonType: 'int' },
        walltimeSeconds: { bsonType: 'int' },
      },
    },
  },
});

/** The value of one dimension of a data id. */
export interface DimensionValue {
  readonly dimension: string;
  readonly value: string;
}

/** A quantum, independent of its workflow. */
export interface Quantum {
  readonly name: string;
  readonly label: string;
  readonly dataId: string;
  /** The data id by dimension; absent if it was given as text only. */
  readonly dimensions?: readonly DimensionValue[];
  /** Names. */
  readonly needs: readonly string[];
  /** Position of its node in core's workflow; absent: its own. */
  readonly node?: number;
  /** Name of the node, if that is a cluster. */
  readonly cluster?: string;
}

/** A stored quantum. The quanta of a node follow each other. */
export interface QuantumDocument extends Quantum {
  /** `<workflow>/<position, five digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
}

/** Quanta. */
export const quantaCollection = defineCollection<QuantumDocument>({
  name: 'quanta',
  schemaVersion: 2,
  validator: {
    required: ['revision', 'name', 'label', 'dataId', 'needs'],
    properties: {
      revision: baseFields.revision,
      name: { bsonType: 'string' },
      label: { bsonType: 'string' },
      dataId: { bsonType: 'string' },
      dimensions: {
        bsonType: 'array',
        maxItems: 32,
        items: {
          bsonType: 'object',
          required: ['dimension', 'value'],
          additionalProperties: false,
          properties: { dimension: { bsonType: 'string' }, value: { bsonType: 'string' } },
        },
      },
      needs: { bsonType: 'array', items: { bsonType: 'string' }, maxItems: maxQuanta },
      node: { bsonType: 'int', minimum: 0 },
      cluster: { bsonType: 'string' },
    },
  },
});

/** The id of the quantum at a position. */
export function quantumId(workflowId: string, index: number): string {
  return `${workflowId}/${String(index).padStart(5, '0')}`;
}
