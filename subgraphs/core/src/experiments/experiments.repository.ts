/** Access to the collection of experiments. */
import type { Collection } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { ExperimentDocument } from './experiment.document.js';

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored experiments. */
export class ExperimentsRepository {
  readonly directory: Directory<ExperimentDocument>;
  readonly #experiments: Collection<ExperimentDocument>;

  constructor(experiments: Collection<ExperimentDocument>) {
    this.#experiments = experiments;
    this.directory = new Directory(experiments);
  }

  /**
   * Inserts an experiment unless one of this name exists. Resolves when the write is acknowledged by the
   * majority. @returns the stored experiment
   */
  async insert(experiment: ExperimentDocument): Promise<ExperimentDocument> {
    const { _id, ...rest } = experiment;
    const stored = await this.#experiments.findOneAndUpdate(
      { _id },
      { $setOnInsert: rest },
      { upsert: true, returnDocument: 'after', ...majority },
    );
    const document = stored ?? experiment;
    this.directory.set(document);
    return document;
  }

  /** Replaces an experiment that still has the previous revision. @returns false if it has another one */
  async replace(next: ExperimentDocument): Promise<boolean> {
    const { matchedCount } = await this.#experiments.replaceOne(
      { _id: next._id, revision: next.revision - 1 },
      next,
      majority,
    );
    if (matchedCount === 1) this.directory.set(next);
    return matchedCount === 1;
  }
}
