/** Access to the canary jobs of queues. */
import type { Collection } from 'mongodb';
import { insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';
import type { CanaryDocument } from './canary.document.js';

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored canary jobs. */
export class CanariesRepository {
  readonly #canaries: Collection<CanaryDocument>;

  constructor(canaries: Collection<CanaryDocument>) {
    this.#canaries = canaries;
  }

  /** Documents of queues by id, in no order; those without one are left out. */
  find(queueIds: readonly string[]): Promise<CanaryDocument[]> {
    return this.#canaries.find({ _id: { $in: [...queueIds] } }).toArray();
  }

  /** Documents of all queues: as many as queues that have or had canary jobs. */
  all(): Promise<CanaryDocument[]> {
    return this.#canaries.find({}, { readConcern: { level: 'majority' } }).toArray();
  }

  /** Inserts or replaces a document. @returns false if another process has written it meanwhile */
  async write(before: CanaryDocument | undefined, next: CanaryDocument): Promise<boolean> {
    if (!before) return insertUnlessTaken(this.#canaries, next);
    const { _id, revision } = before;
    const { matchedCount } = await this.#canaries.replaceOne({ _id, revision }, next, majority);
    return matchedCount === 1;
  }
}
