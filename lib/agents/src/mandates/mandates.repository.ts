/** Access to mandates. */
import { collection, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { type MandateDocument, mandatesCollection } from './mandate.document.js';

/** Mandates that a caller may see: those that it granted, those of an agent, or those of experiments. */
export interface VisibleMandates {
  readonly grantors: readonly string[];
  /** Subject of the agent, which sees its own mandates only. */
  readonly agent?: string | undefined;
  readonly experiments: '*' | readonly string[];
}

/** Conditions on mandates. */
export interface MandateConditions {
  readonly agent?: string | null | undefined;
  readonly experiment?: string | null | undefined;
  readonly isActive?: boolean | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;
const after = { ...majority, returnDocument: 'after' } as const;
/** Longest time of a search, in milliseconds. */
const searchMs = 5_000;
/** Mandates that are read at once to compare them with a proposal. */
const batch = 50;

/** Collection `mandates`. */
export class MandatesRepository {
  readonly #mandates: Collection<MandateDocument>;

  constructor(db: Db) {
    this.#mandates = collection(db, mandatesCollection);
  }

  /** Stores a mandate; an equal one gets the new limits. */
  grant({ _id, createdAt, revision: _from, ...set }: MandateDocument): Promise<MandateDocument | null> {
    return this.#mandates.findOneAndUpdate(
      { _id },
      { $set: set, $setOnInsert: { createdAt }, $inc: { revision: 1 } },
      { ...after, upsert: true },
    );
  }

  /** A mandate by its identifier. */
  mandate(id: string): Promise<MandateDocument | null> {
    return this.#mandates.findOne({ _id: id }, { readConcern: 'majority' });
  }

  /** Ends a mandate. Null if it has ended already. */
  revoke(id: string, by: string | null, now: Date): Promise<MandateDocument | null> {
    return this.#mandates.findOneAndUpdate(
      { _id: id, revokedAt: null },
      { $set: { revokedAt: now, revokedBy: by, updatedAt: now }, $inc: { revision: 1 } },
      after,
    );
  }

  /** Mandates that hold now for changes of one kind. */
  current(
    change: Pick<MandateDocument, 'agent' | 'mutation' | 'experiment'>,
    now: Date,
  ): AsyncIterable<MandateDocument> {
    return this.#mandates
      .find({ ...change, ...active(now) }, { batchSize: batch, readConcern: 'majority' })
      .maxTimeMS(searchMs);
  }

  /** Number of the mandates of a person that hold now, counted up to a limit. */
  countOf(grantor: string, now: Date, limit: number): Promise<number> {
    return this.#mandates.countDocuments({ grantor, ...active(now) }, { limit, maxTimeMS: searchMs });
  }

  /** @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    visible: VisibleMandates,
    { isActive, ...equal }: MandateConditions,
    now: Date,
    { first, after: cursor }: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<MandateDocument>> {
    const given = Object.entries(equal).filter(([, value]) => value != null);
    const conditions: Filter<MandateDocument>[] = given.map(([field, value]) => ({ [field]: value }));
    if (isActive === true) conditions.push(active(now));
    if (isActive === false) conditions.push({ $nor: [active(now)] });
    return keysetPage({
      collection: this.#mandates,
      filter: { $and: [seen(visible), ...conditions] },
      order: [{ field: 'createdAt', direction: -1 }],
      first,
      after: cursor,
      exclude: ['caller'],
      maxTimeMs: searchMs,
    });
  }
}

function active(now: Date): Filter<MandateDocument> {
  return { revokedAt: null, expiresAt: { $gt: now } };
}

function seen({ grantors, agent, experiments }: VisibleMandates): Filter<MandateDocument> {
  if (agent !== undefined) return { agent };
  if (experiments === '*') return {};
  return { $or: [{ grantor: { $in: [...grantors] } }, { experiment: { $in: [...experiments] } }] };
}
