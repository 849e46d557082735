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
  /** Value of the workers' label `rubin-release`; absent: any worker will do. */
  readonly release?: string;
  /** Resources of the quanta of labels that differ from the workflow's; absent if there are none. */
  readonly labels?: readonly LabelResources[];
}

/** Resources of the quanta of a label. */
export interface LabelResources {
  readonly label: string;
  readonly resources: JobResources;
}

/** Workflows. */
export const workflowsCollection = defineSubmissions<WorkflowDocument>({
  name: 'workflows',
  schemaVersion: 1,
  required: ['name', 'pipeline', 'command', 'arguments', 'memoryMiB', 'walltimeSeconds'],
  properties: {
    name: { bsonType: 'string' },
    pipeline: { bsonType: 'string' },
    command: { bsonType: 'string' },
    arguments: { bsonType: 'array', items: { bsonType: 'string' }, maxItems: 900 },
    memoryMiB: { bsonType: 'int' },
    walltimeSeconds: { bsonType: 'int' },
    release: { bsonType: 'string' },
    labels: {
      bsonType: 'array',
      maxItems: 200,
      items: {
        bsonType: 'object',
        required: ['label', 'resources'],
        additionalProperties: false,
        properties: { label: { bsonType: 'string' }, resources: jobResourcesSchema },
      },
    },
  },
});

/** A quantum, independent of its workflow. */
export interface Quantum {
  readonly name: string;
  readonly label: string;
  readonly dataId: string;
  /** Names. */
  readonly needs: readonly string[];
}

/** A stored quantum; its position is that of its job. */
export interface QuantumDocument extends Quantum {
  /** `<workflow>/<position, five digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
}

/** Quanta. */
export const quantaCollection = defineCollection<QuantumDocument>({
  name: 'quanta',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'name', 'label', 'dataId', 'needs'],
    properties: {
      revision: baseFields.revision,
      name: { bsonType: 'string' },
      label: { bsonType: 'string' },
      dataId: { bsonType: 'string' },
      needs: { bsonType: 'array', items: { bsonType: 'string' }, maxItems: 1000 },
    },
  },
});

/** The id of the quantum at a position. */
export function quantumId(workflowId: string, index: number): string {
  return `${workflowId}/${String(index).padStart(5, '0')}`;
}
