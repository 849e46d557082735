/** The only code that touches reports about the quanta of clusters. */
import { type ExperimentOptions, type NodeNews, positionId, positionOf } from '@rhizome/experiment';
import { collection } from '@rhizome/mongo';
import type { ClientSession, Collection, Db } from 'mongodb';
import {
  type QuantumReportDocument,
  quantumReportsCollection,
  type StoredReport,
} from './quantum-report.document.js';
import type { QuantumReport } from './quantum-report.js';
import { quantaAt } from '../workflow.js';
import { type WorkflowDocument, workflowsCollection } from '../workflow.document.js';

/** States of jobs that have ended. */
const ended: ReadonlySet<string> = new Set(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);

export class QuantumReportsRepository {
  readonly #db: Db;
  readonly #reports: Collection<QuantumReportDocument>;
  readonly #clock: ExperimentOptions['clock'];

  constructor(db: Db, clock: ExperimentOptions['clock']) {
    this.#db = db;
    this.#reports = collection(db, quantumReportsCollection);
    this.#clock = clock;
  }

  /** Notes that the logs of clusters are to be read whose jobs have ended, with the record of their ends. */
  async note(news: readonly NodeNews<WorkflowDocument>[], session: ClientSession): Promise<void> {
    const updatedAt = this.#clock.now();
    const { schemaVersion } = quantumReportsCollection;
    const writes = news.flatMap(({ submission, index, run }) => {
      if (!ended.has(run.state) || run.attempts === 0 || quantaAt(submission, index) < 2) return [];
      const _id = positionId(submission._id, index);
      const { jobId, attempts } = run;
      const update = {
        $set: { jobId, attempts, isDue: true as const, tries: 0, updatedAt },
        $setOnInsert: { schemaVersion, quanta: [] },
        $inc: { revision: 1 },
      };
      return [{ updateOne: { filter: { _id }, update, upsert: true } }];
    });
    if (writes.length > 0) await this.#reports.bulkWrite(writes, { session });
  }

  /** Clusters whose logs are to be read, behind an id. */
  due(behind: string, limit: number): Promise<readonly QuantumReportDocument[]> {
    return this.#reports.find({ isDue: true, _id: { $gt: behind } }, { sort: { _id: 1 }, limit }).toArray();
  }

  /** Counts a failure to read logs. */
  async failed({ _id, revision }: QuantumReportDocument): Promise<void> {
    const update = { $inc: { tries: 1, revision: 1 }, $set: { updatedAt: this.#clock.now() } };
    await this.#reports.updateOne({ _id, revision, isDue: true }, update);
  }

  /**
   * DUE → read: stores reports, and raises the revision of the workflow. Nothing, if another job of the
   * cluster has ended meanwhile, or another process was faster.
   */
  async store(due: QuantumReportDocument, quanta: readonly StoredReport[]): Promise<void> {
    const { _id, jobId, revision } = due;
    const updatedAt = this.#clock.now();
    await this.#db.client.withSession((session) =>
      session.withTransaction(
        async () => {
          const update = {
            $set: { quanta: [...quanta], updatedAt },
            $unset: { isDue: '' as const },
            $inc: { revision: 1 },
          };
          const filter = { _id, jobId, revision, isDue: true as const };
          const { modifiedCount } = await this.#reports.updateOne(filter, update, { session });
          if (modifiedCount === 0) return;
          await collection(this.#db, workflowsCollection).updateOne(
            { _id: positionOf(due).parentId },
            { $inc: { revision: 1 }, $set: { updatedAt } },
            { session },
          );
        },
        { writeConcern: { w: 'majority' } },
      ),
    );
  }

  /** Reports of a workflow by position of the quantum. */
  async of(workflowId: string): Promise<ReadonlyMap<number, QuantumReport>> {
    const _id = { $gte: positionId(workflowId, 0), $lte: positionId(workflowId, 9_999_999) };
    const found = await this.#reports.find({ _id }, { projection: { quanta: 1 } }).toArray();
    return new Map(found.flatMap(({ quanta }) => quanta.map(({ index, ...report }) => [index, report])));
  }
}
