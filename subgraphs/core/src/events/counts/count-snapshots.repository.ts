/** The only code that accesses the stored counts. */
import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import {
  headId,
  type CountChunkDocument,
  type CountHeadDocument,
  type CountSnapshotDocument,
} from './count-snapshot.document.js';

/** A complete snapshot. */
export interface CountSnapshot {
  readonly head: CountHeadDocument;
  readonly chunks: readonly CountChunkDocument[];
}

const majority = { writeConcern: { w: 'majority' } } as const;
/** Most attempts to read while a leader keeps writing. */
const maxReads = 20;

/** Reads and writes snapshots of counts. */
export class CountSnapshotsRepository {
  readonly #snapshots: Collection<CountSnapshotDocument>;

  constructor(snapshots: Collection<CountSnapshotDocument>) {
    this.#snapshots = snapshots;
  }

  /** The newest snapshot, or null if there is no complete one. */
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
      // Between the two reads a leader has replaced the snapshot by a younger one.
    }
    return null;
  }

  /**
   * Makes a snapshot the newest, then removes chunks that no longer belong to it.
   * @param fresh the chunks that are not stored yet
   * @returns false if a younger leader has written meanwhile
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
      // The head exists with a greater epoch: the upsert collides with its _id.
      if (isDuplicateKey(error)) return false;
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
