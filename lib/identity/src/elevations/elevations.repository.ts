/** Access to elevations. */
import { collection, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import type { VisibleExperiments } from '../visible-experiments.js';
import { type ElevationDocument, elevationsCollection } from './elevation.document.js';

/** Condition for elevations that have not ended. */
const active = (now: Date) => ({ endedAt: null, expiresAt: { $gt: now } });

/** Collection `elevations`. */
export class ElevationsRepository {
  readonly #elevations: Collection<ElevationDocument>;

  constructor(db: Db) {
    this.#elevations = collection(db, elevationsCollection);
  }

  elevation(id: string): Promise<ElevationDocument | null> {
    return this.#elevations.findOne({ _id: id });
  }

  async insert(elevation: ElevationDocument): Promise<void> {
    await this.#elevations.insertOne(elevation, { writeConcern: { w: 'majority' } });
  }

  /** Ends an elevation now; null for one that has ended. */
  end(id: string, endedBy: string, now: Date): Promise<ElevationDocument | null> {
    return this.#elevations.findOneAndUpdate(
      { _id: id, ...active(now) },
      { $set: { endedAt: now, endedBy, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after' },
    );
  }

  /** Number of elevations of a principal that have not ended. */
  activeOf(principalId: string, now: Date): Promise<number> {
    return this.#elevations.countDocuments({ principalId, ...active(now) });
  }

  /** Elevations that a login started and that have not ended. */
  startedBy(login: string, now: Date): Promise<readonly ElevationDocument[]> {
    return this.#elevations.find({ login, ...active(now) }, { readConcern: 'majority' }).toArray();
  }

  /**
   * Elevations that concern the experiments, and those of the principal, the newest first.
   * @throws DomainError CURSOR_INVALID
   */
  page(
    experiments: VisibleExperiments,
    principalId: string,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<ElevationDocument>> {
    const filter = filterOf(experiments, principalId);
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    return keysetPage({ collection: this.#elevations, filter, order, first, after });
  }
}

function filterOf(experiments: VisibleExperiments, principalId: string): Filter<ElevationDocument> {
  if (experiments === '*') return {};
  if (experiments.length === 0) return { principalId };
  return { $or: [{ experiment: { $in: [...experiments, '*'] } }, { principalId }] };
}
