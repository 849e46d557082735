/** The stored shape of reports about the quanta of clusters. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Reports of the newest ended job of a cluster. */
export interface QuantumReportDocument {
  /** `<workflow>/<position of the node, seven digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  readonly jobId: string;
  /** Number of attempts of the job. */
  readonly attempts: number;
  /** Present while its logs are to be read. */
  readonly isDue?: true;
  /** Number of failures to read them while those of others could be read. */
  readonly tries?: number;
  /** By position of the quantum. */
  readonly quanta: readonly StoredReport[];
}

/** Report about one quantum. */
export interface StoredReport {
  readonly index: number;
  readonly exitCode: number;
  readonly seconds?: number;
}

/** Reports. */
export const quantumReportsCollection = defineCollection<QuantumReportDocument>({
  name: 'quantumReports',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'updatedAt', 'jobId', 'attempts', 'quanta'],
    properties: {
      revision: baseFields.revision,
      updatedAt: { bsonType: 'date' },
      jobId: { bsonType: 'string' },
      attempts: { bsonType: 'number', minimum: 0 },
      isDue: { enum: [true] },
      tries: { bsonType: 'int', minimum: 0 },
      quanta: {
        bsonType: 'array',
        maxItems: 500,
        items: {
          bsonType: 'object',
          required: ['index', 'exitCode'],
          additionalProperties: false,
          properties: {
            index: { bsonType: 'number', minimum: 0 },
            exitCode: { bsonType: 'number' },
            seconds: { bsonType: 'number', minimum: 0 },
          },
        },
      },
    },
  },
  indexes: [
    {
      name: 'isDue_idx',
      keys: { isDue: 1, _id: 1 },
      options: { partialFilterExpression: { isDue: true } },
      why: 'clusters whose logs are to be read',
    },
  ],
});
