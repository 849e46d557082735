/** Finds and lists workers of queues that callers may see. */
import { can, experimentsFor, type Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import type { QueueFacts } from '../queues/queue-facts.types.js';
import type { WorkerState } from '../scheduler/worker-facts.types.js';
import type { LeasesRepository } from './leases/leases.repository.js';
import { maySee } from './worker-access.js';
import { type LeaseDocument, openWorkerStates, type WorkerDocument } from './worker.types.js';
import type { WorkersRepository } from './workers.repository.js';

/** Lookups of queues; each returns one entry for each name. */
export interface QueueLookup {
  /** Queues by name; those missing in memory are read from the store. */
  byNames(names: readonly string[]): Promise<readonly (QueueFacts | undefined)[]>;
  /** Queues by name, read from the store. */
  freshByNames(names: readonly string[]): Promise<readonly (QueueFacts | undefined)[]>;
  /** All queues, read from the store. */
  allFresh(): Promise<readonly QueueFacts[]>;
}

/** Dependencies of {@link WorkerDirectory}. */
export interface WorkerDirectoryOptions {
  readonly workers: Pick<WorkersRepository, 'findMany' | 'pages'>;
  readonly leases: Pick<LeasesRepository, 'findMany'>;
  readonly queues: QueueLookup;
  /** Returns the job that each device of a worker is given to. */
  readonly devices: (workerId: string) => Promise<ReadonlyMap<string, string>>;
}

/** Position and size of a page. */
export interface WorkersPage {
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Filter of the workers in a page. */
export interface WorkersQuery {
  readonly ids?: readonly string[] | null | undefined;
  readonly queues?: readonly string[] | null | undefined;
  readonly states?: readonly WorkerState[] | null | undefined;
}

/** Most ids in one filter. */
const maxIds = 1000;

/** Finds and lists workers. */
export class WorkerDirectory {
  readonly #options: WorkerDirectoryOptions;

  constructor(options: WorkerDirectoryOptions) {
    this.#options = options;
  }

  /**
   * Workers by id, one entry for each id; null if there is none, or if the principal may not see its queue.
   */
  async findMany(ids: readonly string[], principal: Principal): Promise<readonly (WorkerDocument | null)[]> {
    const found = new Map((await this.#options.workers.findMany(ids)).map((worker) => [worker._id, worker]));
    const visible = await this.#visible(new Set([...found.values()].map(({ queue }) => queue)), principal);
    return ids.map((id) => {
      const worker = found.get(id);
      return worker && visible.has(worker.queue) ? worker : null;
    });
  }

  /**
   * Returns the queues whose workers the principal may see. Queues that memory does not show are read from
   * the store.
   */
  async #visible(names: ReadonlySet<string>, principal: Principal): Promise<ReadonlySet<string>> {
    const { queues } = this.#options;
    const seen = async (
      wanted: readonly string[],
      read: (names: readonly string[]) => Promise<readonly (QueueFacts | undefined)[]>,
    ): Promise<readonly string[]> => {
      const found = wanted.length === 0 ? [] : await read(wanted);
      return wanted.filter((_name, index) => isVisible(found[index], principal));
    };
    const known = new Set(await seen([...names], (wanted) => queues.byNames(wanted)));
    const rest = [...names].filter((name) => !known.has(name));
    return new Set([...known, ...(await seen(rest, (wanted) => queues.freshByNames(wanted)))]);
  }

  /** Leases by worker, one entry for each id. */
  async leases(ids: readonly string[]): Promise<readonly (LeaseDocument | null)[]> {
    const found = new Map((await this.#options.leases.findMany(ids)).map((lease) => [lease._id, lease]));
    return ids.map((id) => found.get(id) ?? null);
  }

  /**
   * A page of the workers whose queues the principal may see, newest first; empty for a queue that does not
   * exist.
   * @throws DomainError BAD_USER_INPUT, CURSOR_INVALID
   */
  async page(
    principal: Principal,
    query: WorkersQuery,
    page: WorkersPage,
  ): Promise<KeysetPage<WorkerDocument>> {
    const [only] = await this.pages(principal, [{ query, ...page }]);
    if (only) return only;
    throw new Error('a page of workers was not read');
  }

  /** Pages as {@link page} reads them, in the order of the requests, with one read for a list. */
  async pages(
    principal: Principal,
    wanted: readonly (WorkersPage & { readonly query: WorkersQuery })[],
  ): Promise<readonly KeysetPage<WorkerDocument>[]> {
    for (const { query } of wanted) {
      if ((query.ids?.length ?? 0) > maxIds)
        throw badInput('filter.ids', `${query.ids?.length} ids`, `at most ${maxIds} ids`);
      if ((query.queues?.length ?? 0) > maxIds)
        throw badInput('filter.queues', `${query.queues?.length} names`, `at most ${maxIds} names`);
    }
    const seesAll = experimentsFor(principal, 'worker:read') === '*';
    const queues = await this.#queuesOf(
      wanted.map(({ query }) => query.queues ?? undefined),
      seesAll,
    );
    const seen = queues.filter((queue) => maySee(principal, queue));
    return this.#options.workers.pages(
      wanted.map(({ query, first, after }) => {
        const isAll = query.queues == null && seesAll;
        const own = seen.filter(({ name }) => query.queues?.includes(name) ?? true);
        const queueIds = isAll ? undefined : own.map(({ id }) => id);
        const states = query.states ?? openWorkerStates;
        return { filter: { ids: query.ids ?? undefined, queueIds, states }, first, after };
      }),
    );
  }

  /**
   * Returns the queues that pages are limited to, read from the store: all of them if a page names none and
   * the principal does not see every worker.
   */
  async #queuesOf(
    names: readonly (readonly string[] | undefined)[],
    seesAll: boolean,
  ): Promise<readonly QueueFacts[]> {
    const { queues } = this.#options;
    if (!seesAll && names.includes(undefined)) return queues.allFresh();
    const named = [...new Set(names.flatMap((some) => some ?? []))];
    const found = named.length === 0 ? [] : await queues.freshByNames(named);
    return found.filter((queue) => queue !== undefined);
  }

  /** The job that a device is given to, or undefined. */
  async deviceHolder(workerId: string, deviceId: string): Promise<string | undefined> {
    return (await this.#options.devices(workerId)).get(deviceId);
  }
}

/** Checks that the principal may see workers of the queue, or of an unknown queue. */
function isVisible(queue: QueueFacts | undefined, principal: Principal): boolean {
  return queue === undefined ? can(principal, 'worker:read', '*') : maySee(principal, queue);
}
