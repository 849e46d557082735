/** Access to the parts of workflows that are not sealed. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import {
  type PartContent,
  type PartDocument,
  partSchemaVersion,
  partsCollection,
} from '../model/part.document.js';

type Kind = PartContent['kind'];
type ContentOf<K extends Kind> = Extract<PartContent, { readonly kind: K }>;

/** Numbers of the first and last part. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** Stored parts. */
export class PartsRepository {
  readonly #parts: Collection<PartDocument>;

  constructor(db: Db) {
    this.#parts = collection(db, partsCollection);
  }

  /**
   * Inserts the pieces of a part one after another, because each may be large; those that exist are not
   * changed.
   */
  async insert(
    workflowId: string,
    part: number,
    pieces: AsyncIterable<PartContent>,
    now: Date,
  ): Promise<void> {
    let position = 0;
    for await (const content of pieces) {
      const _id = `${prefixOf(workflowId, content.kind, part)}/${String(position).padStart(6, '0')}`;
      const base = { schemaVersion: partSchemaVersion, revision: 1, createdAt: now, updatedAt: now };
      await insertAbsent(this.#parts, [{ _id, ...base, workflowId, content }]);
      position += 1;
    }
  }

  /** Pieces of a kind, in order. The driver holds few at a time. */
  pieces<K extends Kind>(workflowId: string, kind: K, parts: Range): AsyncGenerator<ContentOf<K>> {
    return this.#found(workflowId, kind, parts, {});
  }

  /** Labels of a workflow, all or those with these names. */
  labels(workflowId: string, names?: readonly string[]): AsyncGenerator<ContentOf<'LABEL'>> {
    const named = names && { 'content.label.label': { $in: names } };
    return this.#found(workflowId, 'LABEL', { from: 0, to: 0 }, (named ?? {}) as Filter<PartDocument>);
  }

  async *#found<K extends Kind>(
    workflowId: string,
    kind: K,
    { from, to }: Range,
    filter: Filter<PartDocument>,
  ): AsyncGenerator<ContentOf<K>> {
    const range = { $gte: prefixOf(workflowId, kind, from), $lt: prefixOf(workflowId, kind, to + 1) };
    const found = this.#parts.find(
      { ...filter, _id: range },
      {
        ...{ projection: { content: 1 }, sort: { _id: 1 }, batchSize: 4, promoteBuffers: true, hint: '_id_' },
        readConcern: { level: 'majority' },
      },
    );
    for await (const { content } of found) yield content as ContentOf<K>;
  }

  /** Deletes the parts of a workflow. */
  async drop(workflowId: string): Promise<void> {
    await this.#parts.deleteMany({ _id: { $gte: `${workflowId}/`, $lt: `${workflowId}0` } });
  }
}

function prefixOf(workflowId: string, kind: Kind, part: number): string {
  return `${workflowId}/${kind}/${String(part).padStart(4, '0')}`;
}
