/** Access to the collection of datasets. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { insertUnlessTaken } from '../shared/duplicate-keys.repository.js';
import { type Visibility, visibleIn } from '../shared/visibility.js';
import { type DatasetDocument, datasetsCollection, type DatasetState } from './dataset.document.js';

/** Filter of datasets; absent fields do not filter. */
export interface DatasetFilter {
  readonly experiments?: readonly string[] | null | undefined;
  readonly names?: readonly string[] | null | undefined;
  readonly owners?: readonly string[] | null | undefined;
  readonly states?: readonly DatasetState[] | null | undefined;
}

/** Datasets of an experiment: one, those whose names have a beginning, or all. */
export interface DatasetRange {
  readonly experiment: string;
  readonly datasetId?: string | undefined;
  readonly namePrefix?: string | undefined;
}

const hourMs = 3_600_000;
const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored datasets. The totals are written with the files. */
export class DatasetsRepository {
  readonly #datasets: Collection<DatasetDocument>;

  constructor(db: Db) {
    this.#datasets = collection(db, datasetsCollection);
  }

  find(id: string): Promise<DatasetDocument | null> {
    return this.#datasets.findOne({ _id: id }, { readConcern: 'majority' });
  }

  findMany(ids: readonly string[]): Promise<readonly DatasetDocument[]> {
    return this.#datasets.find({ _id: { $in: [...ids] } }, { readConcern: 'majority' }).toArray();
  }

  /** The dataset of an experiment with this name, or null. */
  named(experiment: string, name: string): Promise<DatasetDocument | null> {
    return this.#datasets.findOne({ experiment, name }, { readConcern: 'majority' });
  }

  /** Inserts a dataset. @returns false if the experiment has one with this name */
  insert(dataset: DatasetDocument): Promise<boolean> {
    return insertUnlessTaken(this.#datasets, dataset);
  }

  /**
   * Moves a dataset to another state. @returns the dataset after it; null if it is in none of the given
   * states
   */
  move(
    id: string,
    from: readonly DatasetState[],
    change: Pick<DatasetDocument, 'state' | 'closedAt'>,
    now: Date,
  ): Promise<DatasetDocument | null> {
    return this.#datasets.findOneAndUpdate(
      { _id: id, state: { $in: [...from] } },
      { $set: { ...change, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after', ...majority },
    );
  }

  /** Records that a task uses the files of a dataset, at most once an hour. */
  async used(id: string, now: Date): Promise<void> {
    const before = new Date(now.getTime() - hourMs);
    await this.#datasets.updateOne(
      { _id: id, $nor: [{ lastUsedAt: { $gte: before } }] },
      { $set: { lastUsedAt: now } },
      majority,
    );
  }

  /** Datasets of a range that are not being removed, in the order of their names, after one of them. */
  ofRange(range: DatasetRange, after: string, limit: number): Promise<readonly DatasetDocument[]> {
    return this.#datasets
      .find(inRange(range, after), { sort: { name: 1 }, limit, hint: 'experiment_name_uq' })
      .toArray();
  }

  /** Ids of the newest datasets of a range that are not being removed. */
  async newestOfRange(range: DatasetRange, limit: number): Promise<readonly string[]> {
    if (limit === 0) return [];
    const options = { sort: { _id: -1 }, limit, projection: { _id: 1 }, hint: 'experiment_name_uq' } as const;
    return (await this.#datasets.find(inRange(range), options).toArray()).map(({ _id }) => _id);
  }

  /** Datasets that are being removed. */
  removing(limit: number): Promise<readonly DatasetDocument[]> {
    return this.#datasets.find({ state: 'REMOVING' }, { limit, hint: 'removing_idx' }).toArray();
  }

  /** Deletes a dataset that is being removed, and has no files. */
  async drop(id: string): Promise<void> {
    await this.#datasets.deleteOne({ _id: id, state: 'REMOVING' }, majority);
  }

  /** A page of datasets, the newest first. @throws DomainError CURSOR_INVALID */
  page(
    wanted: DatasetFilter,
    visibility: Visibility,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<DatasetDocument>> {
    const order = [{ field: '_id', direction: -1 }] as const;
    const filter = conditionOf(wanted, visibility);
    return keysetPage({ collection: this.#datasets, filter, order, ...page });
  }
}

function inRange(
  { experiment, datasetId, namePrefix = '' }: DatasetRange,
  after = '',
): Filter<DatasetDocument> {
  return {
    experiment,
    $and: [{ name: { $gt: after } }, { name: { $gte: namePrefix, $lt: `${namePrefix}\u{10FFFF}` } }],
    ...(datasetId === undefined ? {} : { _id: datasetId }),
    state: { $ne: 'REMOVING' },
  };
}

function conditionOf(
  { experiments, names, owners, states }: DatasetFilter,
  visibility: Visibility,
): Filter<DatasetDocument> {
  return {
    $and: [
      visibleIn(visibility),
      ...(experiments ? [{ experiment: { $in: [...experiments] } }] : []),
      ...(names ? [{ name: { $in: [...names] } }] : []),
      ...(owners ? [{ owner: { $in: [...owners] } }] : []),
      ...(states ? [{ state: { $in: [...states] } }] : []),
    ],
  } as Filter<DatasetDocument>;
}
