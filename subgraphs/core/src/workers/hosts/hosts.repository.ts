/** Access to the collection of hosts that are not healthy. */
import { isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import type { HostState, QueueHost } from '../../scheduler/cache/host-standing.types.js';
import { Directory } from '../../shared/directory.repository.js';
import { type HostDocument, hostIdOf } from './host.document.js';

/** Page of hosts. */
export interface HostPageRequest {
  /** Hosts of these queues; of all if absent. */
  readonly queues?: readonly string[];
  readonly hosts?: readonly string[];
  readonly states?: readonly HostState[];
  readonly now: Date;
  readonly first: number;
  readonly after: string | null | undefined;
}

/** A host as it was read, and as it is to be. */
export interface HostWrite {
  readonly before: HostDocument | undefined;
  readonly next: HostDocument;
}

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored hosts, held in memory. */
export class HostsRepository {
  readonly directory: Directory<HostDocument>;
  readonly #hosts: Collection<HostDocument>;

  constructor(hosts: Collection<HostDocument>) {
    this.#hosts = hosts;
    this.directory = new Directory(hosts);
  }

  /** The stored document of a host. */
  async current(host: QueueHost): Promise<HostDocument | undefined> {
    return (await this.#hosts.findOne({ _id: hostIdOf(host) })) ?? undefined;
  }

  /**
   * Inserts and replaces hosts; those that another call has changed meanwhile are left out.
   * @returns false if one was left out; memory then has what is stored
   */
  async write(writes: readonly HostWrite[]): Promise<boolean> {
    if (writes.length === 0) return true;
    const operations = writes.map(({ before, next }) =>
      before
        ? { replaceOne: { filter: { _id: before._id, revision: before.revision }, replacement: next } }
        : { insertOne: { document: next } },
    );
    const written = await this.#hosts
      .bulkWrite(operations, { ordered: false, ...majority })
      .then(({ insertedCount, matchedCount }) => insertedCount + matchedCount)
      .catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
        return -1;
      });
    if (written === writes.length) for (const { next } of writes) this.directory.set(next);
    else await this.directory.refresh(writes.map(({ next }) => next._id));
    return written === writes.length;
  }

  /** Page of hosts by queue and name. @throws DomainError CURSOR_INVALID */
  page({ queues, hosts, states, now, ...page }: HostPageRequest): Promise<KeysetPage<HostDocument>> {
    const conditions: Filter<HostDocument>[] = [
      { $or: [{ expiresAt: { $exists: false } }, { expiresAt: { $gt: now } }] },
    ];
    if (queues) conditions.push({ queue: { $in: [...queues] } });
    if (hosts) conditions.push({ host: { $in: [...hosts] } });
    if (states) conditions.push({ $or: states.map((state) => inState(state, now)) });
    const order = [
      { field: 'queue', direction: 1 },
      { field: 'host', direction: 1 },
    ] as const;
    return keysetPage({ collection: this.#hosts, filter: { $and: conditions }, order, ...page });
  }
}

function pinned(to: 'IN' | 'OUT', now: Date): Filter<HostDocument> {
  return { 'pin.to': to, $or: [{ 'pin.until': null }, { 'pin.until': { $gt: now } }] };
}

function inState(state: HostState, now: Date): Filter<HostDocument> {
  const unpinned = { $nor: [pinned('IN', now), pinned('OUT', now)] };
  switch (state) {
    case 'EXCLUDED':
      return {
        $or: [pinned('OUT', now), { ...unpinned, state, $or: [{ until: null }, { until: { $gt: now } }] }],
      };
    case 'HALF_OPEN':
      return { ...unpinned, state: 'EXCLUDED', until: { $lte: now } };
    case 'SUSPECT':
      return { ...unpinned, state, until: { $gt: now } };
    case 'HEALTHY':
      return {
        $or: [
          pinned('IN', now),
          { ...unpinned, $or: [{ state }, { state: 'SUSPECT', until: { $lte: now } }] },
        ],
      };
  }
}
