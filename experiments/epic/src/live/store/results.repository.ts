/** The only code that touches results of live runs, the regulator's decisions and the breakers of sites. */
import { collection, isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb';
import {
  type BreakerDocument,
  breakersCollection,
  type DecisionDocument,
  decisionsCollection,
} from '../model/feed-collections.js';
import {
  type FrameDocument,
  framesCollection,
  type ResultsDocument,
  resultsCollection,
} from '../model/live-collections.js';
import type { PathName } from '../model/live-run.types.js';

/** A breaker to store. */
export type NewBreaker = Omit<BreakerDocument, 'schemaVersion' | 'revision'>;

const majority = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;
/** Decisions that are kept of a run. */
const maxDecisions = 1000;
const maxBreakers = 1000;

export class ResultsRepository {
  readonly #db: Db;
  readonly #results: Collection<ResultsDocument>;
  readonly #frames: Collection<FrameDocument>;
  readonly #decisions: Collection<DecisionDocument>;
  readonly #breakers: Collection<BreakerDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#results = collection(db, resultsCollection);
    this.#frames = collection(db, framesCollection);
    this.#decisions = collection(db, decisionsCollection);
    this.#breakers = collection(db, breakersCollection);
  }

  /** Results of runs, in no order. */
  ofRuns(runIds: readonly string[]): Promise<readonly ResultsDocument[]> {
    return this.#results.find({ runId: { $in: [...runIds] } }).toArray();
  }

  /** Results of a lane, or null before its stream was opened. */
  find(id: string): Promise<ResultsDocument | null> {
    return this.#results.findOne({ _id: id });
  }

  /** Stores the beginning of a stream of results. @returns it, or null if one is stored */
  async begin(results: ResultsDocument): Promise<ResultsDocument | null> {
    try {
      await this.#results.insertOne(results, { writeConcern: { w: 'majority' } });
      return results;
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  }

  /**
   * Goes on from now: core's stream no longer reaches back to the cursor.
   * @returns false if another process has moved the cursor
   */
  async skipTo(id: string, before: string, cursor: string, now: Date): Promise<boolean> {
    const { matchedCount } = await this.#results.updateOne(
      { _id: id, cursor: before },
      { $set: { cursor, hasGap: true, updatedAt: now }, $inc: { revision: 1 } },
    );
    return matchedCount === 1;
  }

  /** Notes that some results of a lane are not in its sums. */
  async noteGap(id: string, now: Date): Promise<void> {
    await this.#results.updateOne(
      { _id: id },
      { $set: { hasGap: true, updatedAt: now }, $inc: { revision: 1 } },
    );
  }

  /** Frames by id, in no order. */
  frames(ids: readonly string[]): Promise<readonly FrameDocument[]> {
    return this.#frames.find({ _id: { $in: [...ids] } }).toArray();
  }

  /**
   * Records results with the cursor behind them, in one transaction, on the condition that no other process
   * has recorded any since `before`.
   * @param done completed slices by identifier of the frame
   * @returns false if another process has
   */
  record(
    before: string,
    results: ResultsDocument,
    path: PathName,
    done: ReadonlyMap<string, number>,
  ): Promise<boolean> {
    return this.#db.client.withSession((session) =>
      session.withTransaction(async () => {
        const { _id, cursor, updatedAt, completed, seconds, latency, slowest, sites } = results;
        const $set = { cursor, updatedAt, completed, seconds, latency, slowest, sites };
        const filter = { _id, cursor: before };
        const update = { $set, $inc: { revision: 1 } };
        const { matchedCount } = await this.#results.updateOne(filter, update, { session });
        if (matchedCount === 0) return false;
        const writes = [...done].map(([id, count]): AnyBulkWriteOperation<FrameDocument> => ({
          updateOne: { filter: { _id: id }, update: { $inc: { [`done.${path}`]: count, revision: 1 } } },
        }));
        if (writes.length > 0) await this.#frames.bulkWrite(writes, { session, ordered: false });
        return true;
      }, majority),
    );
  }

  /** Notes failed attempts by site, as core counts them. */
  async noteFailures(id: string, failures: ResultsDocument['failures'], now: Date): Promise<void> {
    await this.#results.updateOne(
      { _id: id },
      { $set: { failures: failures.slice(0, 200), updatedAt: now }, $inc: { revision: 1 } },
    );
  }

  /** Adds a decision; the oldest above a limit are deleted. */
  async decide(decision: DecisionDocument): Promise<void> {
    const { _id, ...values } = decision;
    await this.#decisions.replaceOne({ _id }, values, { upsert: true });
    const surplus = await this.#decisions
      .find({ runId: decision.runId }, { projection: { _id: 1 }, sort: { at: -1 }, skip: maxDecisions })
      .toArray();
    if (surplus.length > 0)
      await this.#decisions.deleteMany({ _id: { $in: surplus.map(({ _id: id }) => id) } });
  }

  /** A page of decisions, newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  decisions(runId: string, first: number, after?: string | null): Promise<KeysetPage<DecisionDocument>> {
    const order = [{ field: 'at', direction: -1 }] as const;
    return keysetPage({ collection: this.#decisions, filter: { runId }, order, first, after });
  }

  /** Breakers by site, at most 1000. */
  breakers(): Promise<readonly BreakerDocument[]> {
    return this.#breakers.find({}, { sort: { _id: 1 }, limit: maxBreakers }).toArray();
  }

  /** Sets the breaker of a site, for a person. */
  async setBreaker(breaker: NewBreaker): Promise<BreakerDocument | null> {
    const { _id, ...values } = breaker;
    const { schemaVersion } = breakersCollection;
    return this.#breakers.findOneAndUpdate(
      { _id },
      { $set: { ...values, schemaVersion }, $inc: { revision: 1 } },
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  /** Changes a breaker that is in a state, or adds it as one that was closed; not one that a person holds. */
  async moveBreaker(breaker: NewBreaker, from: BreakerDocument['state']): Promise<void> {
    const { _id, ...values } = breaker;
    const { schemaVersion } = breakersCollection;
    const update = { $set: { ...values, schemaVersion }, $inc: { revision: 1 } };
    const { matchedCount } = await this.#breakers.updateOne({ _id, state: from }, update);
    if (matchedCount === 1 || from !== 'CLOSED') return;
    try {
      await this.#breakers.insertOne({ ...breaker, schemaVersion, revision: 1 });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  }
}
