/** Access to the collections of pilots and of the ledgers of queues. */
import { collection, keysetPages, type KeysetPage } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, Collection, Db, Document } from 'mongodb';
import { insertAbsent, insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';
import type { StoreTime } from '../../shared/store-time.js';
import { pilotLedgersCollection, pilotsCollection, pilotSchemaVersion } from '../model/pilot.document.js';
import {
  openPilotStates,
  type PilotDocument,
  type PilotGrant,
  type PilotLedgerDocument,
  type PilotState,
} from '../model/pilot.types.js';

/** A page of the pilots of a queue. */
export interface PilotsPage {
  readonly queueId: string;
  readonly states: readonly PilotState[];
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Fields of a pilot whose worker has not been seen. */
export type ComingPilot = Pick<
  PilotDocument,
  '_id' | 'queueId' | 'classId' | 'experiment' | 'jobsPerPilot' | 'state' | 'createdAt'
>;

/** Report of an executor about a pilot. */
export interface PilotReport {
  readonly id: string;
  readonly state: PilotState;
  readonly batchJobId?: string | undefined;
  readonly reason?: string | undefined;
}

const majority = { w: 'majority' } as const;
const open = { $in: [...openPilotStates] };

/** Stored pilots and ledgers. */
export class PilotsRepository {
  readonly #pilots: Collection<PilotDocument>;
  readonly #ledgers: Collection<PilotLedgerDocument>;
  readonly #now: StoreTime;

  constructor(db: Db, now: StoreTime) {
    this.#pilots = collection(db, pilotsCollection);
    this.#ledgers = collection(db, pilotLedgersCollection);
    this.#now = now;
  }

  /**
   * Takes or renews the right of an instance to request pilots of a queue.
   * @param mayShorten true if the right may end earlier than before
   * @returns the ledger, which another instance holds if its `instance` differs
   */
  async hold(
    queueId: string,
    instance: string,
    seconds: number,
    mayShorten: boolean,
  ): Promise<PilotLedgerDocument> {
    const until = { $dateAdd: { startDate: this.#now(), unit: 'second', amount: seconds } };
    const isOwn = { $eq: ['$instance', { $literal: instance }] };
    for (;;) {
      const held = await this.#ledgers.findOneAndUpdate(
        {
          _id: queueId,
          $or: [{ instance }, { $expr: { $lte: ['$until', this.#now()] } }],
        },
        [
          {
            $set: {
              instance: { $literal: instance },
              until: mayShorten ? until : { $cond: [isOwn, { $max: ['$until', until] }, until] },
              updatedAt: this.#now(),
              revision: { $add: ['$revision', 1] },
            },
          },
        ],
        { returnDocument: 'after', writeConcern: majority },
      );
      if (held) return held;
      const known = await this.#ledgers.findOne({ _id: queueId });
      if (known) return known;
      // A time in the past: the next turn takes it with the clock of the store.
      const past = new Date(0);
      await insertUnlessTaken(this.#ledgers, {
        _id: queueId,
        schemaVersion: pilotSchemaVersion,
        revision: 1,
        createdAt: past,
        updatedAt: past,
        instance,
        until: past,
      });
    }
  }

  /** Records a request in a ledger. @returns false if the ledger has changed since it was read */
  async record(ledger: PilotLedgerDocument, grant: PilotGrant): Promise<boolean> {
    const { modifiedCount } = await this.#ledgers.updateOne(
      { _id: ledger._id, revision: ledger.revision },
      [
        {
          $set: {
            grant: { $literal: grant },
            updatedAt: this.#now(),
            revision: { $add: ['$revision', 1] },
          },
        },
      ],
      { writeConcern: majority },
    );
    return modifiedCount === 1;
  }

  /** Stores the pilots of a request, unless all were stored before; those that exist are not changed. */
  async insert(queueId: string, grant: PilotGrant, now: Date): Promise<void> {
    const { batch, key, digest, executor, order, count, isStored } = grant;
    if (count === 0 || isStored) return;
    const pilots = Array.from({ length: count }, (_, number): PilotDocument => ({
      _id: pilotIdOf(batch, number),
      schemaVersion: pilotSchemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      queueId,
      executor,
      batch,
      number,
      requestKey: key,
      requestDigest: digest,
      ...order,
      state: 'REQUESTED',
      isComing: true,
    }));
    await insertAbsent(this.#pilots, pilots);
    // The revision stays: it is that of the requests, which this does not change.
    await this.#ledgers.updateOne(
      { _id: queueId, 'grant.batch': batch },
      { $set: { 'grant.isStored': true } },
      { writeConcern: majority },
    );
  }

  /** The pilots of a request, by number. */
  ofRequest(queueId: string, requestKey: string): Promise<PilotDocument[]> {
    return this.#pilots
      .find({ queueId, requestKey }, { hint: 'queueId_requestKey_idx', readConcern: 'majority' })
      .sort({ number: 1 })
      .toArray();
  }

  /** Number of pilots of a queue that have not ended, counted up to a limit. */
  countOpen(queueId: string, limit: number): Promise<number> {
    return this.#pilots.countDocuments(
      { queueId, state: open },
      { hint: 'queueId_state_idx', limit, readConcern: 'majority' },
    );
  }

  /** Stores what an executor reports; pilots that have ended are not changed. */
  async report(queueId: string, reports: readonly PilotReport[]): Promise<void> {
    const writes = reports.map(({ id, state, batchJobId, reason }): AnyBulkWriteOperation<PilotDocument> => ({
      updateOne: {
        filter: { _id: id, queueId, state: open },
        update: [
          {
            $set: {
              state,
              reason: reason === undefined ? '$$REMOVE' : { $literal: reason },
              ...(batchJobId === undefined ? {} : { batchJobId: { $literal: batchJobId } }),
              ...(isOpenState(state) ? {} : { isComing: '$$REMOVE' }),
              updatedAt: this.#now(),
              revision: { $add: ['$revision', 1] },
            },
          },
        ] as Document[],
      },
    }));
    if (writes.length > 0) await this.#pilots.bulkWrite(writes, { ordered: false, writeConcern: majority });
  }

  /** Pilots of a queue by id, in no order. */
  findMany(queueId: string, ids: readonly string[]): Promise<PilotDocument[]> {
    return this.#pilots.find({ _id: { $in: [...ids] }, queueId }, { readConcern: 'majority' }).toArray();
  }

  /** Queues whose executors have called since a time. */
  async queuesInContact(seconds: number): Promise<readonly string[]> {
    const since = { $dateSubtract: { startDate: this.#now(), unit: 'second', amount: seconds } };
    const found = await this.#ledgers
      .find({ $expr: { $gte: ['$updatedAt', since] } })
      .project<{ readonly _id: string }>({ _id: 1 })
      .toArray();
    return found.map(({ _id }) => _id);
  }

  /** Pilots of these queues whose workers have not been seen, the oldest first, up to a limit. */
  coming(queueIds: readonly string[], limit: number): Promise<ComingPilot[]> {
    return this.#pilots
      .find({ queueId: { $in: [...queueIds] }, isComing: true }, { hint: 'queueId_coming_idx', limit })
      .project<ComingPilot>({
        queueId: 1,
        classId: 1,
        experiment: 1,
        jobsPerPilot: 1,
        state: 1,
        createdAt: 1,
      })
      .toArray();
  }

  /** Records that the workers of pilots have been seen. @param workers workers by pilot */
  async arrived(workers: ReadonlyMap<string, string>): Promise<void> {
    const writes = [...workers].map(([id, workerId]): AnyBulkWriteOperation<PilotDocument> => ({
      updateOne: {
        filter: { _id: id, isComing: true },
        update: { $unset: { isComing: '' }, $set: { workerId }, $inc: { revision: 1 } },
      },
    }));
    if (writes.length > 0) await this.#pilots.bulkWrite(writes, { ordered: false, writeConcern: majority });
  }

  /** Pages of pilots, newest first, in the order of the requests, with one read for a list. */
  pages(requests: readonly PilotsPage[]): Promise<readonly KeysetPage<PilotDocument>[]> {
    return keysetPages(
      requests.map(({ queueId, states, first, after }) => ({
        collection: this.#pilots,
        filter: { queueId, state: { $in: [...states] } },
        order: [{ field: '_id', direction: -1 }],
        first,
        after,
      })),
    );
  }
}

/** Id of a pilot: of fixed width, so that the ids of a request are in the order of their numbers. */
export function pilotIdOf(batch: string, number: number): string {
  return `${batch}-${String(number).padStart(4, '0')}`;
}

function isOpenState(state: PilotState): boolean {
  return (openPilotStates as readonly PilotState[]).includes(state);
}
