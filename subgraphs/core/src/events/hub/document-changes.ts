/**
 * Changes of queues and workers for a subscriber. A message has the document at the time of the message, if
 * the caller may see it.
 */
import type { Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { QueueFilter } from '../../queues/queues.service.js';
import type { WorkersQuery } from '../../workers/worker-directory.service.js';
import type { QueueDocument } from '../../queues/queue.document.js';
import type { WorkerDocument } from '../../workers/worker.types.js';
import type { DocumentStream } from '../feed/document-feed.js';
import type { SubscriptionGuard, StreamStart } from './subscription-guard.js';

/** One message; the opening message has no document. */
export interface DocumentChange<TDoc> {
  readonly token: string;
  readonly document: TDoc | null;
}

/** The caller, and the start of its stream. */
export interface ChangeRequest<TFilter> {
  readonly filter: TFilter | null | undefined;
  readonly after: string | null | undefined;
  readonly principal: Principal;
  readonly signal: AbortSignal | undefined;
}

/** Lookups of queues. */
export interface ChangedQueues {
  /** Reads queues from the store, one entry for each id. */
  fresh(ids: readonly string[]): Promise<readonly (QueueDocument | null)[]>;
  isVisible(queue: QueueDocument, principal: Principal): boolean;
}

/** Lookups of workers. */
export interface ChangedWorkers {
  /** Reads workers, one entry for each id; null for those that the principal may not see. */
  findMany(ids: readonly string[], principal: Principal): Promise<readonly (WorkerDocument | null)[]>;
}

/** Most names or ids in a filter. */
const maxNamed = 1000;
/** Documents that are read together: one may have 1 MiB, and a stream may resume far back. */
const readTogether = 16;

/** Documents of one pool or fleet. */
export interface PartsRequest<TDoc> {
  /** Name of the collection. */
  readonly collection: string;
  readonly isWanted: (id: string) => boolean;
  readonly after: string | null | undefined;
  readonly signal: AbortSignal | undefined;
  /** Throws if the caller may not see the pool or fleet. */
  readonly check: () => Promise<void>;
  /** Reads documents, one entry for each id; null for those that are no longer kept. */
  readonly read: (ids: readonly string[]) => Promise<readonly (TDoc | null)[]>;
}

/** Streams of changed queues and workers, of completed units, and of decisions about fleets. */
export class DocumentChanges {
  readonly #guard: SubscriptionGuard;
  readonly #documents: DocumentStream;

  constructor(guard: SubscriptionGuard, documents: DocumentStream) {
    this.#guard = guard;
    this.#documents = documents;
  }

  /** Queues that are created or changed. @throws DomainError CURSOR_…, BAD_USER_INPUT */
  queues(
    { filter, after, principal, signal }: ChangeRequest<QueueFilter>,
    queues: ChangedQueues,
  ): AsyncGenerator<DocumentChange<QueueDocument>, void, undefined> {
    assertFew('filter.names', filter?.names);
    const isOf = oneOf(filter?.names);
    const isAt = oneOf(filter?.sites);
    const isIn = oneOf(filter?.states);
    const { experiments } = filter ?? {};
    const isAdmitting = ({ experiments: admitted }: QueueDocument): boolean =>
      !experiments || admitted.length === 0 || admitted.some((name) => experiments.includes(name));
    const isWanted = (queue: QueueDocument): boolean =>
      isOf(queue.name) && isAt(queue.site) && isIn(queue.state) && isAdmitting(queue);
    return this.#guard.through(after, signal, (start) =>
      this.#follow(start, 'queues', all, async (ids) =>
        (await queues.fresh(ids)).map((queue) =>
          queue && queues.isVisible(queue, principal) && isWanted(queue) ? queue : null,
        ),
      ),
    );
  }

  /** Workers that register, change or end. @throws DomainError CURSOR_…, BAD_USER_INPUT */
  workers(
    { filter, after, principal, signal }: ChangeRequest<WorkersQuery>,
    workers: ChangedWorkers,
  ): AsyncGenerator<DocumentChange<WorkerDocument>, void, undefined> {
    assertFew('filter.ids', filter?.ids);
    assertFew('filter.queues', filter?.queues);
    const isOf = oneOf(filter?.queues);
    const isIn = oneOf(filter?.states);
    return this.#guard.through(after, signal, (start) =>
      this.#follow(start, 'workers', oneOf(filter?.ids), async (ids) =>
        (await workers.findMany(ids, principal)).map((worker) =>
          worker && isOf(worker.queue) && isIn(worker.state) ? worker : null,
        ),
      ),
    );
  }

  /** Documents that belong to one pool or fleet. @throws DomainError CURSOR_…, and what `check` throws */
  parts<TDoc>({
    collection,
    isWanted,
    after,
    signal,
    check,
    read,
  }: PartsRequest<TDoc>): AsyncGenerator<DocumentChange<TDoc>, void, undefined> {
    return this.#guard.through(after, signal, (start) =>
      checked(check, this.#follow(start, collection, isWanted, read)),
    );
  }

  async *#follow<TDoc>(
    { position, isResumed, signal }: StreamStart,
    collection: string,
    isWanted: (id: string) => boolean,
    read: (ids: readonly string[]) => Promise<readonly (TDoc | null)[]>,
  ): AsyncGenerator<DocumentChange<TDoc>, void, undefined> {
    // The position of a document is never one of the stream of jobs, which may be ahead of it.
    const after = isResumed ? position : this.#documents.head;
    if (!isResumed) yield { token: after, document: null };
    for await (const { written } of this.#documents.follow({ collection, after, signal })) {
      const wanted = written.filter(({ id }) => isWanted(id));
      for (let from = 0; from < wanted.length; from += readTogether) {
        const part = wanted.slice(from, from + readTogether);
        const documents = await read(part.map(({ id }) => id));
        for (const [at, { token }] of part.entries()) {
          const document = documents[at];
          if (document) yield { token, document };
        }
      }
    }
  }
}

const all = (): boolean => true;

async function* checked<T>(
  check: () => Promise<void>,
  stream: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  await check();
  yield* stream;
}

function assertFew(field: string, values: readonly string[] | null | undefined): void {
  if (values && values.length > maxNamed)
    throw badInput(field, `${values.length} values`, `at most ${maxNamed}`);
}

/** Returns a test for one of the values; without values, all pass. */
function oneOf<T>(values: readonly T[] | null | undefined): (value: T) => boolean {
  if (!values) return () => true;
  const set = new Set(values);
  return (value) => set.has(value);
}
