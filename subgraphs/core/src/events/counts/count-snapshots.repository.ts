/** The only code that touches the stored counts. */
import { MongoServerError, type Collection } from 'mongodb';
import {
  headId,
  type CountChunkDocument,
  type CountHeadDocument,
  type CountSnapshotDocument,
} from './count-snapshot.document.js';

/** Stored counts, entire. */
export interface CountSnapshot {
  readonly head: CountHeadDocument;
  readonly chunks: readonly CountChunkDocument[];
}

const majority = { writeConcern: { w: 'majority' } } as const;
/** Tries to read while a leader keeps writing. */
const maxReads = 20;

/** See the head of this file. */
export class CountSnapshotsRepository {
  readonly #snapshots: Collection<CountSnapshotDocument>;

  constructor(snapshots: Collection<CountSnapshotDocument>) {
    this.#snapshots = snapshots;
  }

  /** The newest snapshot, or null where there is none that is whole. */
  async read(): Promise<CountSnapshot | null> {
    for (let tries = 0; tries < maxReads; tries++) {
      const head = (await this.#snapshots.findOne({ _id: headId })) as CountHeadDocument | null;
      if (!head) return null;
      const found = (await this.#snapshots
        .find({ _id: { $in: [...head.chunks] } })
        .toArray()) as CountChunkDocument[];
      const byId = new Map(found.map((chunk) => [chunk._id, chunk]));
      const chunks = head.chunks.flatMap((id) => byId.get(id) ?? []);
      if (chunks.length === head.chunks.length) return { head, chunks };
      // Between the two reads a leader has put a younger one in its place.
    }
    return null;
  }

  /**
   * Makes a snapshot the newest, then removes what no longer belongs to it.
   * @param fresh the chunks that are not stored yet
   * @returns false when a younger leader has written meanwhile
   */
  async write(head: CountHeadDocument, fresh: readonly CountChunkDocument[]): Promise<boolean> {
    if (fresh.length > 0) await this.#snapshots.insertMany([...fresh], majority);
    const { epoch } = head;
    try {
      await this.#snapshots.replaceOne({ _id: headId, epoch: { $lte: epoch } }, head, {
        upsert: true,
        ...majority,
      });
    } catch (error) {
      // The head is there and has a greater epoch: the upsert meets its _id.
      if (error instanceof MongoServerError && error.code === 11000) return false;
      throw error;
    }
    await this.#snapshots.deleteMany({
      kind: 'CHUNK',
      _id: { $nin: [...head.chunks] },
      epoch: { $lte: epoch },
    });
    return true;
  }
}
