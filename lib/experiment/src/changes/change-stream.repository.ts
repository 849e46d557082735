/** Reads the change stream of one collection; the only code that opens one. */
import { type CollectionDefinition, collection } from '@rhizome/mongo';
import type { ChangeStream, ChangeStreamDocument, Db, Document } from 'mongodb';
import { placeFault } from './change-cursor.js';

/** A document was written. */
export interface Change {
  /** The place behind the change. */
  readonly token: string;
  /** Of the document. */
  readonly id: string;
}

/** A change, or none; then only the place went on. */
export interface ChangeRead {
  readonly change?: Change;
  /** All changes up to here were read. */
  readonly position: string;
}

/** Options of a read. */
export interface ChangeReadOptions {
  /** From behind this place; from now unless given. */
  readonly after?: string | undefined;
  /** Changes of this document only. */
  readonly id?: string | undefined;
  readonly signal: AbortSignal;
}

/** Reads changes, in order, until the signal aborts. The driver goes on by itself after a fail-over. */
export type ReadChanges = (options: ChangeReadOptions) => AsyncGenerator<ChangeRead, void, undefined>;

/** Time that the server waits for a change before it returns an empty batch, in milliseconds. */
const awaitMs = 500;

/** A way to read the changes of a collection. */
export function changesOf(db: Db, definition: CollectionDefinition): ReadChanges {
  return async function* read({ after, id, signal }) {
    if (signal.aborted) return;
    const stream = collection(db, definition).watch(pipeline(id), {
      maxAwaitTimeMS: awaitMs,
      ...(after === undefined ? {} : { resumeAfter: { _data: after } }),
    });
    const stop = (): void => void stream.close().catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (!signal.aborted) {
        const found = toRead(await stream.tryNext(), stream);
        if (found) yield found;
      }
    } catch (error) {
      if (!signal.aborted) throw (after === undefined ? undefined : placeFault(error, after)) ?? error;
    } finally {
      signal.removeEventListener('abort', stop);
      await stream.close().catch(() => undefined);
    }
  };
}

function pipeline(id: string | undefined): Document[] {
  const one = id === undefined ? {} : { 'documentKey._id': id };
  return [
    { $match: { operationType: { $in: ['insert', 'update', 'replace'] }, ...one } },
    { $project: { documentKey: 1, operationType: 1 } },
  ];
}

function toRead(event: ChangeStreamDocument | null, stream: ChangeStream): ChangeRead | undefined {
  const position = ((event?._id ?? stream.resumeToken) as { _data?: string } | undefined)?._data;
  if (position === undefined) return undefined;
  if (!event || !('documentKey' in event)) return { position };
  return { change: { token: position, id: String(event.documentKey?._id) }, position };
}
