/** Reads stored requirement classes; a submit writes them. */
import type { Collection } from 'mongodb';
import type { RequirementClassDocument } from '../../jobs/model/requirement-class.document.js';

/** See the head of this file. */
export class RequirementClassesRepository {
  readonly #classes: Collection<RequirementClassDocument>;
  constructor(classes: Collection<RequirementClassDocument>) {
    this.#classes = classes;
  }

  /** The classes with these ids that exist. */
  findMany(ids: readonly string[]): Promise<RequirementClassDocument[]> {
    return this.#classes.find({ _id: { $in: [...ids] } }).toArray();
  }
}
