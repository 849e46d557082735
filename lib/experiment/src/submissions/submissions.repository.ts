/** The only code that writes submissions, apart from the ledger, which derives from events. */
import {
  type CollectionDefinition,
  collection,
  isDuplicateKey,
  keysetPage,
  type KeysetPage,
} from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter, UpdateFilter } from 'mongodb';
import type { SubmissionDocument, SubmissionStage, WorkflowEnd } from './submission.document.js';

/** Documents of a submission in the experiment's own collections, written and deleted together with it. */
export interface SubmissionParts<T extends SubmissionDocument> {
  /** Writes, or removes, in the session's transaction. */
  readonly run: (db: Db, session: ClientSession, submission: T) => Promise<void>;
}

/** Stored fields to read; `_id` comes with them. */
export type SubmissionProjection = Readonly<Record<string, 1>>;

/** A new submission was written, or a unique index forbids it. */
export type Accepted<T> = { readonly submission: T } | { readonly takenKeys: readonly string[] };

/** The task or workflow that core does for a submission. */
export type CoreWork = { readonly taskId: string } | { readonly workflowId: string };

const majority = { writeConcern: { w: 'majority' } } as const;

function isWorkflowId(coreId: string): boolean {
  return coreId.startsWith('workflow_');
}

/**
 * Documents in and out. Method types hide the driver's generics, which cannot see that T has these fields.
 */
export class SubmissionsRepository<T extends SubmissionDocument> {
  readonly #db: Db;
  readonly #submissions: Collection<T>;

  constructor(db: Db, definition: CollectionDefinition<T>) {
    this.#db = db;
    this.#submissions = collection(db, definition);
  }

  /** Submissions by id, in no order. */
  find(ids: readonly string[], projection?: SubmissionProjection): Promise<readonly T[]> {
    return ids.length === 0 ? Promise.resolve([]) : this.#all({ _id: { $in: [...ids] } }, 0, projection);
  }

  /** Submissions by task or workflow, in no order. */
  async ofCoreIds(coreIds: readonly string[]): Promise<readonly T[]> {
    const workflows = coreIds.filter((id) => isWorkflowId(id));
    const tasks = coreIds.filter((id) => !isWorkflowId(id));
    const found = await Promise.all([
      tasks.length === 0 ? [] : this.#all({ taskId: { $in: tasks } }),
      workflows.length === 0 ? [] : this.#all({ workflowId: { $in: workflows } }),
    ]);
    return found.flat();
  }

  /** The submission of a subject's key, or null. */
  async ofKey(submittedBy: string, idempotencyKey: string): Promise<T | null> {
    return (await this.#all({ submittedBy, idempotencyKey }, 1))[0] ?? null;
  }

  /** The first submission with these values in fields of the experiment's own, or null. */
  async where(fields: Readonly<Partial<T>>, projection?: SubmissionProjection): Promise<T | null> {
    return (await this.#all(fields, 1, projection))[0] ?? null;
  }

  /** Submissions in a stage behind an id, by id. */
  inStage(stage: SubmissionStage, behind: string, limit: number): Promise<readonly T[]> {
    return this.#all({ stage, _id: { $gt: behind } }, limit);
  }

  /** Submissions behind an id whose workflows core has, and was not seen to have ended, by id. */
  inWorkflows(behind: string, limit: number): Promise<readonly T[]> {
    const filter = { stage: 'OPEN', _id: { $gt: behind }, workflowId: { $exists: true } };
    return this.#all({ ...filter, workflowEnd: { $exists: false } }, limit);
  }

  /** Notes the end of a workflow in core, unless the submission has changed since it was read. */
  async endNoted({ _id, revision }: T, workflowEnd: WorkflowEnd, now: Date): Promise<void> {
    const filter = { _id, revision, stage: 'OPEN' } as unknown as Filter<T>;
    const stage = { $cond: [{ $eq: ['$finishedJobs', '$totalJobs'] }, 'DONE', 'OPEN'] };
    const update = { workflowEnd, stage, updatedAt: now, revision: { $add: ['$revision', 1] } };
    await this.#submissions.updateOne(filter, [{ $set: update }], majority);
  }

  /** OPEN or DONE → OPEN: nodes of the workflow are about to run again. */
  async reopened(_id: string, now: Date): Promise<void> {
    const filter = { _id, stage: { $ne: 'SUBMITTING' } } as unknown as Filter<T>;
    const update = {
      $set: { stage: 'OPEN', updatedAt: now },
      $unset: { workflowEnd: '' },
      $inc: { revision: 1 },
    } as unknown as UpdateFilter<T>;
    await this.#submissions.updateOne(filter, update, majority);
  }

  /** A page, newest first, of those with these values. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    fields: Readonly<Partial<T>>,
    first: number,
    after?: string | null,
    projection?: SubmissionProjection,
  ): Promise<KeysetPage<T>> {
    const order = [{ field: '_id', direction: -1 }] as const;
    return keysetPage<T>({
      collection: this.#submissions,
      filter: fields as Filter<T>,
      order,
      first,
      after,
      ...(projection ? { projection } : {}),
    });
  }

  /** Writes a new submission, and its parts, all or nothing. */
  async accept(submission: T, parts?: SubmissionParts<T>): Promise<Accepted<T>> {
    try {
      await this.#together(parts, submission, async (session) => {
        await this.#submissions.insertOne(
          submission as Parameters<Collection<T>['insertOne']>[0],
          options(session),
        );
        return true;
      });
      return { submission };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return { takenKeys: Object.keys((error['keyPattern'] as object | undefined) ?? {}) };
    }
  }

  /**
   * SUBMITTING → OPEN, or DONE: notes the task or workflow in core. @returns the submission as it then is, or
   * null where it is gone
   */
  async handedOver(id: string, work: CoreWork, now: Date): Promise<T | null> {
    // Events of the task may have been taken in before its id was known here.
    const stage = { $cond: [{ $eq: ['$finishedJobs', '$totalJobs'] }, 'DONE', 'OPEN'] };
    const update = {
      ...Object.fromEntries(Object.entries(work).map(([name, value]) => [name, { $literal: value }])),
      stage,
      updatedAt: now,
      revision: { $add: ['$revision', 1] },
    };
    const filter = { _id: id, stage: 'SUBMITTING' } as unknown as Filter<T>;
    const moved = await this.#submissions.findOneAndUpdate(filter, [{ $set: update }], {
      returnDocument: 'after',
      ...majority,
    });
    return (moved as T | null) ?? (await this.#all({ _id: id, ...work }, 1))[0] ?? null;
  }

  /** Removes a submission that core refused, and its parts; one that core has taken stays. */
  async withdraw(submission: T, parts?: SubmissionParts<T>): Promise<void> {
    await this.#together(parts, submission, async (session) => {
      const filter = { _id: submission._id, stage: 'SUBMITTING' } as unknown as Filter<T>;
      return (await this.#submissions.deleteOne(filter, options(session))).deletedCount === 1;
    });
  }

  async #all(filter: object, limit = 0, projection?: SubmissionProjection): Promise<readonly T[]> {
    const options = { sort: { _id: 1 }, limit, ...(projection ? { projection } : {}) } as const;
    return (await this.#submissions.find(filter as Filter<T>, options).toArray()) as T[];
  }

  /**
   * Runs a write alone, or in one transaction with that of the parts, which is left out where the first did
   * nothing.
   */
  async #together(
    parts: SubmissionParts<T> | undefined,
    submission: T,
    write: (session?: ClientSession) => Promise<boolean>,
  ): Promise<void> {
    if (!parts) {
      await write();
      return;
    }
    await this.#db.client.withSession((session) =>
      session.withTransaction(async () => {
        if (await write(session)) await parts.run(this.#db, session, submission);
      }, majority),
    );
  }
}

/** In a transaction the write concern is the transaction's. */
function options(session: ClientSession | undefined) {
  return session ? { session } : majority;
}
