/** The only code that touches the collection of experiments. */
import type { Collection } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { ExperimentDocument } from './experiment.document.js';

/** See the head of this file. */
export class ExperimentsRepository {
  readonly directory: Directory<ExperimentDocument>;
  readonly #experiments: Collection<ExperimentDocument>;

  constructor(experiments: Collection<ExperimentDocument>) {
    this.#experiments = experiments;
    this.directory = new Directory(experiments);
  }

  /** Inserts it unless there is one of that name; resolves to the one that is stored, known to the majority. */
  async insert(experiment: ExperimentDocument): Promise<ExperimentDocument> {
    const { _id, ...rest } = experiment;
    const stored = await this.#experiments.findOneAndUpdate(
      { _id },
      { $setOnInsert: rest },
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    const document = stored ?? experiment;
    this.directory.put(document);
    return document;
  }
}
