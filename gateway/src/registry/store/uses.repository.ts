/** Access to the collections of recorded use. */
import { collection } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, Collection, Db, Document } from 'mongodb';
import { type FieldUseDocument, fieldUsesCollection } from './field-use.document.js';
import {
  longestText,
  mostClients,
  mostOperations,
  type OperationDocument,
  operationsCollection,
} from './operation.document.js';
import { type UseRecordingDocument, useRecordingsCollection } from './use-recording.document.js';

/** Use of a schema element to add. */
export interface CountedUse {
  readonly coordinate: string;
  readonly client: string;
  readonly clientVersion: string;
  readonly requests: number;
}

/** An operation to add. */
export interface CountedOperation {
  readonly digest: string;
  readonly name: string | null;
  readonly kind: OperationDocument['kind'];
  readonly text: string;
  readonly requests: number;
  readonly clients: readonly string[];
}

/** Use of one schema element by one client, over all requested days. */
export interface UseTotal {
  readonly coordinate: string;
  readonly type: string;
  readonly client: string;
  readonly clientVersion: string;
  readonly requests: number;
  readonly lastUsedOn: string;
}

const batch = 1000;

/** Collections of recorded use. */
export class UsesRepository {
  readonly #uses: Collection<FieldUseDocument>;
  readonly #operations: Collection<OperationDocument>;
  readonly #recordings: Collection<UseRecordingDocument>;

  constructor(db: Db) {
    this.#uses = collection(db, fieldUsesCollection);
    this.#operations = collection(db, operationsCollection);
    this.#recordings = collection(db, useRecordingsCollection);
  }

  /** Marks the start of use recording unless it began earlier. */
  async beginRecording(now: Date): Promise<void> {
    const fresh = { schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now, recordedSince: now };
    await this.#recordings.updateOne({ _id: 'fields' }, { $setOnInsert: fresh }, { upsert: true });
  }

  /** Start of use recording; null if there was none. */
  async recordedSince(): Promise<Date | null> {
    return (await this.#recordings.findOne({ _id: 'fields' }))?.recordedSince ?? null;
  }

  /** Adds counted use to a day. */
  async addUses(uses: readonly CountedUse[], usedOn: string, now: Date): Promise<void> {
    for (let at = 0; at < uses.length; at += batch) {
      const writes = uses.slice(at, at + batch).map((use) => useWrite(use, usedOn, now));
      await this.#uses.bulkWrite(writes, { ordered: false });
    }
  }

  /** Adds operations; beyond the maximum only known ones. */
  async addOperations(operations: readonly CountedOperation[], now: Date): Promise<void> {
    if (operations.length === 0) return;
    const upsert = (await this.#operations.estimatedDocumentCount()) < mostOperations;
    const writes = operations.map((operation) => operationWrite(operation, upsert, now));
    await this.#operations.bulkWrite(writes, { ordered: false });
  }

  /** Use since a day: of these schema elements, and of all elements of these types. */
  async totals(
    coordinates: readonly string[],
    types: readonly string[],
    sinceDay: string,
  ): Promise<readonly UseTotal[]> {
    const found = await this.#uses
      .aggregate<UseTotal & Document>([
        {
          $match: {
            usedOn: { $gte: sinceDay },
            $or: [{ coordinate: { $in: coordinates } }, { type: { $in: types } }],
          },
        },
        {
          $group: {
            _id: { coordinate: '$coordinate', client: '$client', clientVersion: '$clientVersion' },
            type: { $first: '$type' },
            requests: { $sum: '$requests' },
            lastUsedOn: { $max: '$usedOn' },
          },
        },
        { $limit: 100_000 },
      ])
      .toArray();
    return found.map(({ _id, type, requests, lastUsedOn }) => ({
      ...(_id as Pick<UseTotal, 'coordinate' | 'client' | 'clientVersion'>),
      type,
      requests,
      lastUsedOn,
    }));
  }
}

/** Increments in the database, so that gateways may count concurrently. */
function useWrite(
  { coordinate, client, clientVersion, requests }: CountedUse,
  usedOn: string,
  now: Date,
): AnyBulkWriteOperation<FieldUseDocument> {
  const type = coordinate.split('.', 1)[0] ?? coordinate;
  return {
    updateOne: {
      filter: { _id: [coordinate, usedOn, client, clientVersion].join('|') },
      update: {
        $inc: { requests, revision: 1 },
        $set: { updatedAt: now },
        $setOnInsert: { schemaVersion: 1, createdAt: now, coordinate, type, usedOn, client, clientVersion },
      },
      upsert: true,
    },
  };
}

function operationWrite(
  { digest, name, kind, text, requests, clients }: CountedOperation,
  upsert: boolean,
  now: Date,
): AnyBulkWriteOperation<OperationDocument> {
  const known = { $ifNull: ['$clients', []] };
  return {
    updateOne: {
      filter: { _id: digest },
      update: [
        {
          $set: {
            schemaVersion: 1,
            revision: { $add: [{ $ifNull: ['$revision', 0] }, 1] },
            createdAt: { $ifNull: ['$createdAt', now] },
            updatedAt: now,
            name: { $literal: name },
            kind,
            text: { $literal: text.slice(0, longestText) },
            requests: { $add: [{ $ifNull: ['$requests', 0] }, requests] },
            clients: { $slice: [{ $setUnion: [known, { $literal: clients }] }, mostClients] },
          },
        },
      ],
      upsert,
    },
  };
}
