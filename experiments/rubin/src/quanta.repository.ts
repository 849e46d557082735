/**
 * The only code that touches quanta. They are written and removed together with their workflow, and never
 * changed.
 */
import type { SubmissionParts } from '@rhizome/experiment';
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import {
  quantaCollection,
  type Quantum,
  type QuantumDocument,
  quantumId,
  type WorkflowDocument,
} from './workflow.document.js';

export class QuantaRepository {
  readonly #quanta: Collection<QuantumDocument>;

  constructor(db: Db) {
    this.#quanta = collection(db, quantaCollection);
  }

  /** Quanta of a workflow from a position on. */
  async range(workflowId: string, from: number, count: number): Promise<readonly QuantumDocument[]> {
    const _id = { $gte: quantumId(workflowId, from), $lt: quantumId(workflowId, from + count) };
    return this.#quanta.find({ _id }, { sort: { _id: 1 } }).toArray();
  }

  /** The graph of a workflow, in order, without the data that its quanta work on. */
  async graph(workflowId: string, totalQuanta: number): Promise<readonly Omit<Quantum, 'dataId'>[]> {
    const _id = { $gte: quantumId(workflowId, 0), $lt: quantumId(workflowId, totalQuanta) };
    const projection = { _id: 0, name: 1, label: 1, needs: 1, node: 1 } as const;
    return this.#quanta.find({ _id }, { sort: { _id: 1 }, projection }).toArray();
  }

  /** Quanta of a workflow by name, in no order. */
  async named(
    workflowId: string,
    totalQuanta: number,
    names: readonly string[],
  ): Promise<readonly QuantumDocument[]> {
    const _id = { $gte: quantumId(workflowId, 0), $lt: quantumId(workflowId, totalQuanta) };
    return this.#quanta.find({ _id, name: { $in: [...names] } }).toArray();
  }

  /** Quanta by id, in no order. */
  async find(ids: readonly string[]): Promise<readonly QuantumDocument[]> {
    return this.#quanta.find({ _id: { $in: [...ids] } }).toArray();
  }
}

/** Writes the quanta of a new workflow, in order. */
export function writeQuanta(quanta: readonly Quantum[]): SubmissionParts<WorkflowDocument> {
  return {
    run: async (db, session, { _id }) => {
      const documents = quanta.map((quantum, index) => ({
        _id: quantumId(_id, index),
        schemaVersion: quantaCollection.schemaVersion,
        revision: 1,
        ...quantum,
      }));
      await collection(db, quantaCollection).insertMany(documents, { session });
    },
  };
}

/** Removes the quanta of a workflow. */
export const dropQuanta: SubmissionParts<WorkflowDocument> = {
  run: async (db, session, { _id, totalQuanta }) => {
    const range = { $gte: quantumId(_id, 0), $lt: quantumId(_id, totalQuanta) };
    await collection(db, quantaCollection).deleteMany({ _id: range }, { session });
  },
};
