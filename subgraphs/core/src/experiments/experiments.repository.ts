/** Access to the collection of experiments. */
import type { Collection } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { ExperimentDocument } from './experiment.document.js';

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
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    const document = stored ?? experiment;
    this.directory.set(document);
    return document;
  }
}
