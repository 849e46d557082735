/** The only code that touches live runs, their histories, frames and claims. */
import { collection, isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, UpdateFilter } from 'mongodb';
import { frameId, withFrames } from '../model/frame-numbers.js';
import { claimsCollection, type ClaimDocument } from '../model/feed-collections.js';
import {
  entriesCollection,
  type EntryDocument,
  type FrameDocument,
  framesCollection,
} from '../model/live-collections.js';
import { type LiveRunDocument, liveRunsCollection } from '../model/live-run.document.js';
import type { PathName } from '../model/live-run.types.js';

/** A frame to announce. */
export interface NewFrame {
  readonly number: number;
  readonly location: string;
  readonly bytes: number;
  readonly recordedAt: Date;
}

/** Result of an announcement of frames. */
export interface FramesAnnounced {
  readonly announced: number;
  readonly repeated: number;
  /** Numbers of frames that are known with other data; then none was announced. */
  readonly conflicts: readonly number[];
  /** True if the run accepts no frames any more; then none was announced. */
  readonly isClosed: boolean;
}

const majority = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;
const claimSeconds = 5;
/** Most runs that have not ended: all of them are read several times a second. */
export const maxActiveRuns = 100;

const isActive = { stage: { $in: ['OPEN', 'CLOSED'] } } as const;

export class LiveRunsRepository {
  readonly #db: Db;
  readonly #runs: Collection<LiveRunDocument>;
  readonly #entries: Collection<EntryDocument>;
  readonly #frames: Collection<FrameDocument>;
  readonly #claims: Collection<ClaimDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#runs = collection(db, liveRunsCollection);
    this.#entries = collection(db, entriesCollection);
    this.#frames = collection(db, framesCollection);
    this.#claims = collection(db, claimsCollection);
  }

  /** Stores a new run. @returns false if the number is taken */
  async add(run: LiveRunDocument): Promise<boolean> {
    try {
      await this.#runs.insertOne(run, { writeConcern: { w: 'majority' } });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** Runs by id, in no order. */
  find(ids: readonly string[]): Promise<readonly LiveRunDocument[]> {
    return this.#runs.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** The run of a number, or null. */
  ofNumber(runNumber: number): Promise<LiveRunDocument | null> {
    return this.#runs.findOne({ runNumber });
  }

  /** A page of runs, newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(first: number, after?: string | null): Promise<KeysetPage<LiveRunDocument>> {
    const order = [{ field: '_id', direction: -1 }] as const;
    return keysetPage({ collection: this.#runs, filter: {}, order, first, after });
  }

  /** A page of a history, newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  history(runId: string, first: number, after?: string | null): Promise<KeysetPage<EntryDocument>> {
    const order = [{ field: 'sequence', direction: -1 }] as const;
    return keysetPage({ collection: this.#entries, filter: { runId }, order, first, after });
  }

  /** Runs that have not ended. Two processes may have accepted a few more than {@link maxActiveRuns}. */
  active(): Promise<readonly LiveRunDocument[]> {
    return this.#runs.find(isActive, { sort: { _id: 1 }, limit: 2 * maxActiveRuns }).toArray();
  }

  /** True if as many runs as are possible have not ended. */
  async isFull(): Promise<boolean> {
    return (await this.#runs.countDocuments(isActive, { limit: maxActiveRuns })) >= maxActiveRuns;
  }

  /**
   * Takes or prolongs the right to act for a run, for five seconds of the store's clock. @returns false if
   * another process has it
   */
  async claim(runId: string, holder: string): Promise<boolean> {
    const { schemaVersion } = claimsCollection;
    const isFree = { $or: [{ $eq: ['$holder', holder] }, { $lt: ['$until', '$$NOW'] }] };
    const until = { $add: ['$$NOW', claimSeconds * 1000] };
    const { matchedCount } = await this.#claims.updateOne({ _id: runId, $expr: isFree }, [
      { $set: { holder, until, revision: { $add: ['$revision', 1] } } },
    ]);
    if (matchedCount === 1) return true;
    // Without it, each look of a spare process would be an insertion that fails.
    if (await this.#claims.findOne({ _id: runId }, { projection: { _id: 1 } })) return false;
    const isNew = await this.#claims
      .insertOne({ _id: runId, schemaVersion, revision: 1, holder, until: new Date(0) })
      .then(
        () => true,
        (error: unknown) => (isDuplicateKey(error) ? false : Promise.reject(error)),
      );
    return isNew && this.claim(runId, holder);
  }

  /** Gives up the right to act for a run. */
  async release(runId: string, holder: string): Promise<void> {
    await this.#claims.deleteOne({ _id: runId, holder });
  }

  /** Changes a run that meets a condition. @returns the run after it; null if it does not meet it */
  change(
    runId: string,
    condition: Readonly<Record<string, unknown>>,
    update: UpdateFilter<LiveRunDocument>,
    now: Date,
  ): Promise<LiveRunDocument | null> {
    const { $set, $inc, ...rest } = update;
    return this.#runs.findOneAndUpdate(
      { ...condition, _id: runId },
      {
        ...rest,
        $set: { ...$set, updatedAt: now },
        $inc: { ...$inc, revision: 1 },
      } as UpdateFilter<LiveRunDocument>,
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  /**
   * Adds an entry to the history of a run and changes the run, in one transaction.
   * @param decide the entry and the change, or undefined for neither; decided again if the run was changed
   *   meanwhile
   * @returns the stored entry of this identifier, which may be an earlier one; undefined if there is none
   */
  announce(
    runId: string,
    entryId: string,
    decide: (
      run: LiveRunDocument,
    ) => { readonly entry: EntryDocument; readonly patch: Partial<LiveRunDocument> } | undefined,
    now: Date,
  ): Promise<EntryDocument | undefined> {
    return this.#inTransaction(async (session) => {
      const known = await this.#entries.findOne({ _id: entryId }, { session });
      if (known) return known;
      const run = await this.#runs.findOne({ _id: runId }, { session });
      const decided = run ? decide(run) : undefined;
      if (!decided) return undefined;
      const patch = { ...decided.patch, entries: decided.entry.sequence, updatedAt: now };
      await this.#runs.updateOne({ _id: runId }, { $set: patch, $inc: { revision: 1 } }, { session });
      await this.#entries.insertOne(decided.entry, { session });
      return decided.entry;
    });
  }

  /** Adds frames to a run, each once by its number, and counts them, in one transaction. */
  addFrames(runId: string, frames: readonly NewFrame[], now: Date): Promise<FramesAnnounced> {
    const ids = frames.map(({ number }) => frameId(runId, number));
    return this.#inTransaction(async (session) => {
      const known = await this.#frames.find({ _id: { $in: ids } }, { session }).toArray();
      const byNumber = new Map(known.map((frame) => [frame.number, frame]));
      const fresh = frames.filter(({ number }) => !byNumber.has(number));
      const conflicts = frames
        .filter(({ number, location, bytes }) => {
          const stored = byNumber.get(number);
          return stored && (stored.location !== location || stored.bytes !== bytes);
        })
        .map(({ number }) => number);
      const result = { announced: 0, repeated: known.length, conflicts, isClosed: false };
      if (conflicts.length > 0 || fresh.length === 0) return result;
      const run = await this.#runs.findOne({ _id: runId, stage: 'OPEN' }, { session });
      if (!run) return { ...result, isClosed: true };
      const counts = withFrames(run.frames, fresh, now);
      const update = { $set: { frames: counts, updatedAt: now }, $inc: { revision: 1 } };
      await this.#runs.updateOne({ _id: runId }, update, { session });
      const documents = fresh.map((frame, at): FrameDocument => ({
        ...{ _id: frameId(runId, frame.number), schemaVersion: framesCollection.schemaVersion, revision: 1 },
        ...{ runId, ...frame, sequence: run.frames.announced + 1 + at, announcedAt: now, fed: {}, done: {} },
      }));
      await this.#frames.insertMany(documents, { session });
      return { ...result, announced: fresh.length };
    });
  }

  /** Frames of a run behind a sequence number, in order of announcement. */
  framesAfter(runId: string, sequence: number, limit: number): Promise<readonly FrameDocument[]> {
    const filter = { runId, sequence: { $gt: sequence } };
    return this.#frames.find(filter, { sort: { sequence: 1 }, limit }).toArray();
  }

  /** Times of frames in intervals of the order of announcement, ends included, in no order. */
  timesOfFrames(
    intervals: readonly { readonly runId: string; readonly from: number; readonly to: number }[],
  ): Promise<readonly Pick<FrameDocument, 'runId' | 'sequence' | 'recordedAt' | 'announcedAt'>[]> {
    if (intervals.length === 0) return Promise.resolve([]);
    const $or = intervals.map(({ runId, from, to }) => ({ runId, sequence: { $gte: from, $lte: to } }));
    const projection = { runId: 1, sequence: 1, recordedAt: 1, announcedAt: 1 } as const;
    return this.#frames.find({ $or }, { projection }).toArray();
  }

  /** Notes the time at which the publication of frames began, if it is not known. */
  async noteFed(
    runId: string,
    path: PathName,
    { from, to }: { readonly from: number; readonly to: number },
    now: Date,
  ): Promise<void> {
    const field = `fed.${path}`;
    const filter = { runId, sequence: { $gt: from, $lte: to }, [field]: { $exists: false } };
    await this.#frames.updateMany(filter, { $set: { [field]: now }, $inc: { revision: 1 } });
  }

  /** Notes that frames were not published. */
  async noteUnfed(
    runId: string,
    path: PathName,
    { from, to }: { readonly from: number; readonly to: number },
  ): Promise<void> {
    const filter = { runId, sequence: { $gt: from, $lte: to } };
    await this.#frames.updateMany(filter, {
      $unset: { [`fed.${path}`]: '' as const },
      $inc: { revision: 1 },
    });
  }

  #inTransaction<T>(work: (session: ClientSession) => Promise<T>): Promise<T> {
    return this.#db.client.withSession((session) => session.withTransaction(() => work(session), majority));
  }
}
