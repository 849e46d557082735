/** Reads stored requirement classes; a submit writes them. */
import type { Collection } from 'mongodb';
import type { RequirementClassDocument } from '../../jobs/model/requirement-class.document.js';

export class RequirementClassesRepository {
  readonly #classes: Collection<RequirementClassDocument>;
  constructor(classes: Collection<RequirementClassDocument>) {
    this.#classes = classes;
  }

  /** Returns the existing classes with these ids. */
  findMany(ids: readonly string[]): Promise<RequirementClassDocument[]> {
    return this.#classes.find({ _id: { $in: [...ids] } }).toArray();
  }
}
