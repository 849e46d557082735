/** The only code that accesses the collection of workers. */
import { isDuplicateKey, type KeysetPage, keysetPages } from '@rhizome/mongo';
import type { Collection, Document, Filter } from 'mongodb';
import type { StoreTime } from '../shared/store-time.js';
import {
  endedWorkerStates,
  type FactPart,
  liveWorkerStates,
  openWorkerStates,
  type WorkerDocument,
} from './worker.types.js';
import type { DeviceDocument } from '../gpus/device.types.js';
import type { WorkerState } from '../scheduler/worker-facts.types.js';

/** A worker before it is written; the store sets the times. */
export type NewWorker = Omit<WorkerDocument, 'createdAt' | 'updatedAt' | 'revision' | 'liveName' | 'state'>;

/** A requested page. */
export interface WorkersPageRequest {
  readonly filter: WorkersFilter;
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Filter of the workers in a page. */
export interface WorkersFilter {
  readonly ids?: readonly string[] | undefined;
  readonly queueIds?: readonly string[] | undefined;
  readonly states: readonly WorkerState[];
}

/** Result of an insertion. */
export type InsertOutcome = { readonly worker: WorkerDocument } | { readonly taken: 'key' | 'name' };

/** Facts by which devices are grouped. */
const goneFacts = [
  'vendor',
  'model',
  'pciId',
  'migProfile',
  'partitionMode',
  'driverVersion',
  'cudaVersion',
  'rocmVersion',
] as const satisfies readonly (keyof DeviceDocument)[];

/** Number of devices with equal facts, of workers of one queue that have ended. */
export interface GoneDevicesOfQueue {
  readonly queueId: string;
  readonly device: Pick<DeviceDocument, (typeof goneFacts)[number]>;
  readonly lastSeenAt: Date;
}

const majority = { w: 'majority' } as const;

/** Reads and writes workers. */
export class WorkersRepository {
  readonly #workers: Collection<WorkerDocument>;
  readonly #now: StoreTime;
  constructor(workers: Collection<WorkerDocument>, now: StoreTime) {
    this.#workers = workers;
    this.#now = now;
  }

  /** Inserts a live worker, unless its key or its name is taken. */
  async insert(worker: NewWorker): Promise<InsertOutcome> {
    const fresh = { ...worker, liveName: worker.name, state: 'READY', revision: 1 };
    try {
      const stored = await this.#workers.findOneAndUpdate(
        { _id: worker._id },
        [
          {
            $replaceWith: {
              $mergeObjects: [{ $literal: fresh }, { createdAt: this.#now(), updatedAt: this.#now() }],
            },
          },
        ],
        { upsert: true, returnDocument: 'after', writeConcern: majority },
      );
      if (!stored) throw new Error(`worker ${worker._id} was not stored`);
      return { worker: stored };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const keyPattern = error['keyPattern'] as object | undefined;
      return { taken: keyPattern && 'registrationKey' in keyPattern ? 'key' : 'name' };
    }
  }

  /** The worker that was registered under a key. */
  findByKey(registrationKey: string): Promise<WorkerDocument | null> {
    return this.#workers.findOne({ registrationKey });
  }

  /** The live worker with a name in a queue. */
  findLive(queueId: string, name: string): Promise<WorkerDocument | null> {
    return this.#workers.findOne({ queueId, liveName: name });
  }

  /** Workers by id. */
  findMany(ids: readonly string[]): Promise<WorkerDocument[]> {
    return this.#workers.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** Workers of batch jobs of a queue that have not ended. */
  findOpenOfBatchJobs(queueId: string, batchJobIds: readonly string[]): Promise<WorkerDocument[]> {
    return this.#workers
      .find(
        {
          queueId,
          batchJobId: { $exists: true, $in: [...batchJobIds] },
          state: { $in: [...openWorkerStates] },
        },
        { hint: 'queueId_batchJobId_idx' },
      )
      .toArray();
  }

  /** The newest worker of each of these batch jobs of a queue, by batch job; ended ones included. */
  async ofBatchJobs(queueId: string, batchJobIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = await this.#workers
      .find(
        { queueId, batchJobId: { $exists: true, $in: [...batchJobIds] } },
        { hint: 'queueId_batchJobId_idx' },
      )
      .sort({ _id: 1 })
      .project<{ readonly _id: string; readonly batchJobId: string }>({ batchJobId: 1 })
      .toArray();
    return new Map(found.map(({ _id, batchJobId }) => [batchJobId, _id]));
  }

  /** All workers that have not ended, unreachable ones included. */
  findAllOpen(): Promise<WorkerDocument[]> {
    return this.#workers.find({ state: { $in: [...openWorkerStates] } }, { hint: 'state_idx' }).toArray();
  }

  /** Workers that were created or changed since a time of the store's clock. */
  findChangedSince(since: Date): Promise<WorkerDocument[]> {
    return this.#workers
      .find({ updatedAt: { $gte: since } }, { hint: 'updatedAt_idx' })
      .sort({ updatedAt: 1 })
      .toArray();
  }

  /**
   * Groups of devices of workers that have ended since a time of the store's clock, with the time of their
   * last heartbeat; aggregated in the store.
   */
  findGoneDevices(since: Date): Promise<GoneDevicesOfQueue[]> {
    const fact = (name: string): string => `$devices.${name}`;
    return this.#workers
      .aggregate<GoneDevicesOfQueue>(
        [
          { $match: { updatedAt: { $gte: since }, state: { $in: [...endedWorkerStates] } } },
          { $unwind: '$devices' },
          {
            $group: {
              _id: {
                queueId: '$queueId',
                ...Object.fromEntries(goneFacts.map((name) => [name, fact(name)])),
              },
              lastSeenAt: { $max: { $ifNull: ['$lastSeenAt', '$updatedAt'] } },
            },
          },
          { $project: { _id: 0, queueId: '$_id.queueId', device: '$_id', lastSeenAt: 1 } },
          { $unset: 'device.queueId' },
        ],
        { hint: 'updatedAt_idx' },
      )
      .toArray();
  }

  /** Pages of workers, newest first, in the order of the requests, with one read for a list. */
  pages(requests: readonly WorkersPageRequest[]): Promise<readonly KeysetPage<WorkerDocument>[]> {
    return keysetPages(
      requests.map(({ filter: { ids, queueIds, states }, first, after }) => ({
        collection: this.#workers,
        filter: {
          state: { $in: [...states] },
          ...(ids ? { _id: { $in: [...ids] } } : {}),
          ...(queueIds ? { queueId: { $in: [...queueIds] } } : {}),
        } satisfies Filter<WorkerDocument>,
        order: [{ field: '_id', direction: -1 }],
        first,
        after,
      })),
    );
  }

  /**
   * Replaces facts of a live worker by those of a later report. @returns the worker, or null if it is not
   * live, or has that report or a later one
   */
  setFacts<TPart extends FactPart>(
    id: string,
    part: TPart,
    facts: WorkerDocument[TPart] | undefined,
    version: number,
  ): Promise<WorkerDocument | null> {
    const versionField = `reportVersions.${part}`;
    return this.#change(
      { _id: id, state: { $in: [...liveWorkerStates] }, [versionField]: { $not: { $gte: version } } },
      { [part]: { $literal: facts }, [versionField]: version },
    );
  }

  /**
   * Sets a READY worker to DRAINING, an unreachable one when it returns. @returns the worker, or null if it
   * is neither
   */
  drain(id: string, reason: string | undefined): Promise<WorkerDocument | null> {
    const isUnreachable = { $eq: ['$state', 'UNREACHABLE'] };
    return this.#change(
      { _id: id, state: { $in: ['READY', 'UNREACHABLE'] } },
      {
        state: { $cond: [isUnreachable, '$state', 'DRAINING'] },
        stateBefore: { $cond: [isUnreachable, 'DRAINING', '$$REMOVE'] },
        ...reasonOf(reason),
      },
    );
  }

  /** Sets a live worker to UNREACHABLE. @returns the worker, or null if it is not live */
  loseContact(id: string, since: Date): Promise<WorkerDocument | null> {
    return this.#change(
      { _id: id, state: { $in: [...liveWorkerStates] } },
      { state: 'UNREACHABLE', stateBefore: '$state', unreachableSince: since },
    );
  }

  /**
   * Sets a worker whose lease is valid again to the state in which it was. @returns the worker, or null if it
   * has ended
   */
  returnToContact(id: string): Promise<WorkerDocument | null> {
    const isUnreachable = { $eq: ['$state', 'UNREACHABLE'] };
    return this.#change(
      { _id: id, state: { $in: [...openWorkerStates] } },
      {
        state: { $cond: [isUnreachable, { $ifNull: ['$stateBefore', 'READY'] }, '$state'] },
        stateBefore: '$$REMOVE',
        unreachableSince: '$$REMOVE',
        returnedAt: this.#now(),
      },
    );
  }

  /** Records that a heartbeat has shown which jobs a worker still has. @returns the worker, or null */
  confirmReturn(id: string): Promise<WorkerDocument | null> {
    return this.#change({ _id: id, returnedAt: { $exists: true } }, { returnedAt: '$$REMOVE' });
  }

  /** Frees the name of a worker for another one. @returns the worker, or null if it has none */
  releaseName(id: string): Promise<WorkerDocument | null> {
    return this.#change({ _id: id, liveName: { $exists: true } }, { liveName: '$$REMOVE' });
  }

  /** Ends a worker. @returns the worker, or null if it has ended */
  end(
    id: string,
    state: 'ENDED' | 'LOST',
    reason: string | undefined,
    lease: { readonly updatedAt: Date; readonly expiresAt: Date } | undefined,
  ): Promise<WorkerDocument | null> {
    return this.#change(
      { _id: id, state: { $in: [...openWorkerStates] } },
      {
        state,
        liveName: '$$REMOVE',
        stateBefore: '$$REMOVE',
        ...reasonOf(reason),
        ...(lease ? { lastSeenAt: lease.updatedAt, leaseExpiresAt: lease.expiresAt } : {}),
      },
    );
  }

  #change(filter: Filter<WorkerDocument>, fields: Document): Promise<WorkerDocument | null> {
    return this.#workers.findOneAndUpdate(
      filter,
      [{ $set: { ...fields, updatedAt: this.#now(), revision: { $add: ['$revision', 1] } } }],
      { returnDocument: 'after', writeConcern: majority },
    );
  }
}

function reasonOf(reason: string | undefined): Document {
  return reason === undefined ? {} : { stateReason: { $literal: reason } };
}
