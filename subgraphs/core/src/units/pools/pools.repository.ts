/** Access to the collection of pools. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';
import { type Visibility, visibleIn } from '../../shared/visibility.js';
import { type PoolDocument, poolsCollection, type PoolState } from './pool.document.js';

/** Filter of pools. */
export interface PoolFilter {
  readonly experiments?: readonly string[] | null | undefined;
  readonly states?: readonly PoolState[] | null | undefined;
  readonly taskIds?: readonly string[] | null | undefined;
  readonly runs?: readonly string[] | null | undefined;
  readonly names?: readonly string[] | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored pools. */
export class PoolsRepository {
  readonly #pools: Collection<PoolDocument>;

  constructor(db: Db) {
    this.#pools = collection(db, poolsCollection);
  }

  find(id: string): Promise<PoolDocument | null> {
    return this.#pools.findOne({ _id: id });
  }

  findMany(ids: readonly string[]): Promise<readonly PoolDocument[]> {
    return this.#pools.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** The pool of an experiment with this name, or null. */
  named(experiment: string, name: string): Promise<PoolDocument | null> {
    return this.#pools.findOne({ experiment, name });
  }

  /** Inserts a pool. @returns false if the experiment has one with this name */
  insert(pool: PoolDocument): Promise<boolean> {
    return insertUnlessTaken(this.#pools, pool);
  }

  /** Closes an open pool; null if it is closed. */
  close(id: string, now: Date): Promise<PoolDocument | null> {
    return this.#pools.findOneAndUpdate(
      { _id: id, state: 'OPEN' },
      { $set: { state: 'CLOSED', closedAt: now, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after', ...majority },
    );
  }

  /** A page of pools, the newest first. @throws DomainError CURSOR_INVALID */
  page(
    wanted: PoolFilter,
    visibility: Visibility,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<PoolDocument>> {
    const order = [{ field: '_id', direction: -1 }] as const;
    return keysetPage({ collection: this.#pools, filter: conditionOf(wanted, visibility), order, ...page });
  }

  /** Pools, at most `most`. */
  list(wanted: PoolFilter, visibility: Visibility, most: number): Promise<PoolDocument[]> {
    return this.#pools.find(conditionOf(wanted, visibility)).limit(most).toArray();
  }

  /** Open pools, at most `most`. */
  open(most: number): Promise<PoolDocument[]> {
    return this.#pools.find({ state: 'OPEN' }).sort({ _id: -1 }).limit(most).toArray();
  }
}

function conditionOf(
  { experiments, states, taskIds, runs, names }: PoolFilter,
  visibility: Visibility,
): Filter<PoolDocument> {
  return {
    $and: [
      visibleIn(visibility),
      ...(experiments ? [{ experiment: { $in: [...experiments] } }] : []),
      ...(states ? [{ state: { $in: [...states] } }] : []),
      ...(taskIds ? [{ taskId: { $in: [...taskIds] } }] : []),
      ...(runs ? [{ run: { $in: [...runs] } }] : []),
      ...(names ? [{ name: { $in: [...names] } }] : []),
    ],
  } as Filter<PoolDocument>;
}
