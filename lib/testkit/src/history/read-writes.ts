/** Reads the writes to jobs, leases and tasks from the change stream, after they have happened. */
import { isStreamLost } from '@rhizome/mongo';
import type { TestDatabase } from '../test-database.types.js';
import type { History, JobWrite, LeaseWrite, StoredEvent, TaskWrite } from './history.types.js';

/** A time of the store. */
export type StoreTimestamp = Exclude<
  NonNullable<Parameters<TestDatabase['watch']>[1]>['startAtOperationTime'],
  undefined
>;

/** Which writes are read. */
export interface WritesRequest {
  /** Earliest time; the beginning of the oplog unless given. */
  readonly since: StoreTimestamp | undefined;
  readonly until: StoreTimestamp;
  /** Most writes. */
  readonly limit: number;
}

type Writes = Pick<History, 'writes' | 'leaseWrites' | 'taskWrites' | 'hasAllWrites'>;

/** Change as the pipeline below projects it. */
interface Change {
  readonly _id: { readonly _data: string };
  readonly collection: string;
  readonly id: string;
  readonly operationType: string;
  readonly clusterTime: StoreTimestamp;
  readonly last?: StoredEvent;
  readonly state?: string;
  readonly revision?: number;
}

const pipeline = [
  {
    $match: {
      $or: [{ 'ns.coll': { $in: ['jobs', 'tasks'] } }, { 'ns.coll': 'leases', operationType: 'delete' }],
    },
  },
  {
    $project: {
      collection: '$ns.coll',
      id: '$documentKey._id',
      operationType: 1,
      clusterTime: 1,
      last: { $ifNull: ['$updateDescription.updatedFields.last', '$fullDocument.last'] },
      state: { $ifNull: ['$updateDescription.updatedFields.state', '$fullDocument.state'] },
      revision: { $ifNull: ['$updateDescription.updatedFields.revision', '$fullDocument.revision'] },
    },
  },
];

/** Reads writes in the order of the store; none if the oplog no longer reaches back. */
export async function readWrites(db: TestDatabase, request: WritesRequest): Promise<Writes> {
  const found = new FoundWrites();
  const since = request.since ?? (await beginningOf(db));
  if (!since) return found.result(false);
  const stream = db.watch(pipeline, {
    startAtOperationTime: since,
    batchSize: 2000,
    maxAwaitTimeMS: 10,
  });
  try {
    const end = tokenOf(request.until);
    for (;;) {
      const change = (await stream.tryNext()) as Change | null;
      const token = change?._id._data ?? (stream.resumeToken as { readonly _data?: string } | null)?._data;
      const time = token?.slice(0, end.length) ?? '';
      // The position of an idle stream is that of the newest write that was looked at.
      if (time > end || (!change && time === end)) return found.result(true);
      if (change) found.add(change);
      if (found.size >= request.limit) return found.result(false);
    }
  } catch (error) {
    if (isStreamLost(error)) return new FoundWrites().result(false);
    throw error;
  } finally {
    await stream.close();
  }
}

class FoundWrites {
  readonly #jobs: JobWrite[] = [];
  readonly #leases: LeaseWrite[] = [];
  readonly #tasks: TaskWrite[] = [];
  size = 0;

  add({ _id, collection, id, operationType, last, state, revision }: Change): void {
    const position = (this.size += 1);
    if (collection === 'leases') this.#leases.push({ position, workerId: id });
    else if (collection === 'tasks') {
      if (state !== undefined) this.#tasks.push({ position, taskId: id, state });
    } else if (typeof id === 'string')
      this.#jobs.push({
        ...{ position, token: _id._data, jobId: id, kind: kindOf(operationType) },
        ...(last ? { last } : {}),
        ...(state === undefined ? {} : { state }),
        ...(revision === undefined ? {} : { revision }),
      });
  }

  result(hasAllWrites: boolean): Writes {
    return {
      writes: this.#jobs,
      leaseWrites: this.#leases,
      taskWrites: this.#tasks,
      hasAllWrites,
    };
  }
}

function kindOf(operationType: string): JobWrite['kind'] {
  if (operationType === 'insert') return 'INSERT';
  return operationType === 'delete' ? 'DELETE' : 'UPDATE';
}

/** Time of the oldest write that the store keeps. */
async function beginningOf(db: TestDatabase): Promise<StoreTimestamp | undefined> {
  const oplog = db.client.db('local').collection<{ readonly ts: StoreTimestamp }>('oplog.rs');
  const oldest = await oplog.findOne({}, { sort: { $natural: 1 }, projection: { ts: 1 } });
  return oldest?.ts;
}

/** Beginning of the tokens of a time: a type byte, seconds, and a counter. */
function tokenOf({ t, i }: StoreTimestamp): string {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
  return `82${hex(t)}${hex(i)}`;
}
