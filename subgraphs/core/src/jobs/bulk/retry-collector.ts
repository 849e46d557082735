import type { Clock } from '@rhizome/clock';
import type { BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkRepository } from './bulk.repository.js';
import type { BulkJob, BulkRefusal } from './bulk.types.js';
import type { JobCopies } from './job-copies.js';
import type { RetryMembersRepository } from './retry-members.repository.js';
import type { JobsRepository } from '../model/jobs.repository.js';

/** Dependencies of {@link RetryCollector}. */
export interface RetryCollectorOptions {
  readonly jobs: JobsRepository;
  readonly operations: BulkRepository;
  readonly members: RetryMembersRepository;
  readonly copies: JobCopies;
  readonly clock: Clock;
  /** Number of jobs that are in memory at once; defaults to 1,000. */
  readonly pageSize?: number;
}

/** A retry in progress, and what its runner provides. */
export interface RetryInProgress {
  readonly operation: BulkOperationDocument;
  readonly bulk: BulkJob;
  readonly runnerId: string;
  /** Selected jobs after a position. */
  readonly selected: (operation: BulkOperationDocument) => Promise<readonly string[]>;
  /** True if this process stops. */
  readonly isStopping: () => boolean;
}

/**
 * Collects the jobs of a retry with dependents before the first copy is made: the selected jobs, the children
 * that were closed because of them, their own children, and so on. Everything is recorded page by page, so
 * that the number of jobs is not limited by memory, and an interrupted collection is resumed.
 */
export class RetryCollector {
  readonly #options: RetryCollectorOptions;

  constructor(options: RetryCollectorOptions) {
    this.#options = options;
  }

  /** @returns the operation with its members, or null if another process works on it or this one stops */
  async collect(retry: RetryInProgress): Promise<BulkOperationDocument | null> {
    if (!(await this.#addSelected(retry)) || !(await this.#addDependents(retry))) return null;
    return this.#options.operations.endCollection(
      retry.operation._id,
      retry.runnerId,
      this.#options.clock.now(),
    );
  }

  /** Deletes the members of a retry that has ended. */
  async forget(operationId: string): Promise<void> {
    await this.#options.members.delete(operationId);
  }

  /** Members of a retry that are copied next. */
  async page({ _id, position = '' }: BulkOperationDocument): Promise<readonly string[]> {
    return this.#options.members.page(_id, position, this.#options.pageSize ?? 1000);
  }

  async #addSelected(retry: RetryInProgress): Promise<boolean> {
    let { operation } = retry;
    for (;;) {
      const page = await this.#selectedPage(retry, operation);
      const last = page.at(-1);
      if (last === undefined) return true;
      if (retry.isStopping()) return false;
      const refused = await this.#add(retry, page);
      if (!(await this.#record(retry, last, refused))) return false;
      operation = { ...operation, position: last };
    }
  }

  async #selectedPage(
    { selected }: RetryInProgress,
    operation: BulkOperationDocument,
  ): Promise<readonly string[]> {
    const { page: ids, position = '' } = operation;
    if (!ids) return selected(operation);
    const rest = [...ids].sort().filter((id) => id > position);
    return rest.slice(0, this.#options.pageSize ?? 1000);
  }

  /** Adds the jobs that may be retried. @returns why the others may not */
  async #add({ bulk, operation }: RetryInProgress, ids: readonly string[]): Promise<readonly BulkRefusal[]> {
    const { members, copies, clock } = this.#options;
    const refused: BulkRefusal[] = [];
    const sources = await copies.sources(bulk, [...new Set(ids)], refused);
    await members.add(operation._id, [...sources.keys()], clock.now());
    return refused;
  }

  async #addDependents(retry: RetryInProgress): Promise<boolean> {
    const { jobs, members, pageSize = 1000 } = this.#options;
    const { _id } = retry.operation;
    for (;;) {
      const parents = await members.unexpanded(_id, pageSize);
      if (parents.length === 0) return true;
      for await (const children of jobs.closedChildren(parents, pageSize)) {
        // Dependents that the caller may not retry are left out.
        await this.#add(retry, children);
        if (retry.isStopping() || !(await this.#record(retry))) return false;
      }
      await members.setExpanded(_id, parents);
      if (!(await this.#record(retry))) return false;
    }
  }

  /** Records progress, which renews the claim. @returns false if another process works on the operation */
  #record(
    { operation, runnerId }: RetryInProgress,
    position?: string,
    refused: readonly BulkRefusal[] = [],
  ): Promise<boolean> {
    const { operations, clock } = this.#options;
    return operations.recordCollection(operation._id, runnerId, { position, refused }, clock.now());
  }
}
