/** Access to the collection of downtimes. */
import { isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import { Directory } from '../../shared/directory.repository.js';
import type { DowntimeDocument, DowntimeState } from './downtime.document.js';

/** Page of downtimes. */
export interface DowntimePageRequest {
  /** Downtimes of these queues and sites; all if absent. */
  readonly targets?: { readonly queues: readonly string[]; readonly sites: readonly string[] };
  readonly states: readonly DowntimeState[];
  readonly now: Date;
  readonly first: number;
  readonly after: string | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored downtimes, held in memory. */
export class DowntimesRepository {
  readonly directory: Directory<DowntimeDocument>;
  readonly #downtimes: Collection<DowntimeDocument>;

  constructor(downtimes: Collection<DowntimeDocument>) {
    this.#downtimes = downtimes;
    this.directory = new Directory(downtimes);
  }

  find(id: string): Promise<DowntimeDocument | null> {
    return this.#downtimes.findOne({ _id: id });
  }

  /** All downtimes of an imported list, also those that have ended. */
  ofSource(source: string): Promise<DowntimeDocument[]> {
    return this.#downtimes.find({ source, sourceId: { $exists: true } }).toArray();
  }

  /** Inserts a downtime unless the same call was made before. @returns the one that is stored */
  async insert(downtime: DowntimeDocument): Promise<DowntimeDocument> {
    const { creation } = downtime;
    try {
      await this.#downtimes.insertOne(downtime, majority);
      this.directory.set(downtime);
      return downtime;
    } catch (error) {
      if (!creation || !isDuplicateKey(error)) throw error;
      const earlier = await this.#downtimes.findOne({
        'creation.by': creation.by,
        'creation.key': creation.key,
      });
      if (!earlier) throw error;
      return earlier;
    }
  }

  /** Replaces a downtime that still has the previous revision. @returns false if the revision has changed */
  async replace(next: DowntimeDocument): Promise<boolean> {
    return (await this.writeMany([], [next])) === 1;
  }

  /**
   * Inserts and replaces downtimes; one that another call has changed or inserted is left out.
   * @returns the number of those that were written
   */
  async writeMany(added: readonly DowntimeDocument[], changed: readonly DowntimeDocument[]): Promise<number> {
    const operations = [
      ...added.map((document) => ({ insertOne: { document } })),
      ...changed.map((next) => ({
        replaceOne: { filter: { _id: next._id, revision: next.revision - 1 }, replacement: next },
      })),
    ];
    if (operations.length === 0) return 0;
    const written = await this.#downtimes
      .bulkWrite(operations, { ordered: false, ...majority })
      .then(({ insertedCount, matchedCount }) => insertedCount + matchedCount)
      .catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return -1;
      });
    if (written === operations.length) for (const one of [...added, ...changed]) this.directory.set(one);
    else await this.directory.load();
    return written;
  }

  /** Page of downtimes by their start. @throws DomainError CURSOR_INVALID */
  page({ targets, states, now, ...page }: DowntimePageRequest): Promise<KeysetPage<DowntimeDocument>> {
    const conditions: Filter<DowntimeDocument>[] = [{ $or: states.map((state) => inState(state, now)) }];
    if (targets)
      conditions.push({
        $or: [{ queue: { $in: [...targets.queues] } }, { site: { $in: [...targets.sites] } }],
      });
    const order = [
      { field: 'startsAt', direction: 1 },
      { field: '_id', direction: 1 },
    ] as const;
    return keysetPage({ collection: this.#downtimes, filter: { $and: conditions }, order, ...page });
  }
}

function inState(state: DowntimeState, now: Date): Filter<DowntimeDocument> {
  if (state === 'CANCELLED') return { cancelledAt: { $ne: null } };
  if (state === 'ENDED') return { cancelledAt: null, endsAt: { $lte: now } };
  const startsAt = state === 'ACTIVE' ? { $lte: now } : { $gt: now };
  return { cancelledAt: null, endsAt: { $gt: now }, startsAt };
}
