import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { BulkChanges } from './bulk-changes.js';
import type { BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkRepository } from './bulk.repository.js';
import type { BulkJob } from './bulk.types.js';
import type { RetryCollector } from './retry-collector.js';
import type { ExperimentDirectory } from '../ports.js';
import { planSelection } from './bulk-selection.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import { repeat, LeaderTask, type LeaderWork } from '../../shared/leader-task.js';

/** Dependencies of {@link BulkRunner}. */
export interface BulkRunnerOptions {
  readonly operations: BulkRepository;
  readonly jobs: JobsRepository;
  readonly changes: BulkChanges;
  readonly collector: RetryCollector;
  readonly experiments: ExperimentDirectory;
  readonly leader: LeaderWork;
  /** Id of this process as a runner. */
  readonly runnerId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Jobs per page; defaults to 1,000. */
  readonly pageSize?: number;
  /** Interval at which the leader looks for abandoned operations, in milliseconds; defaults to 3,000. */
  readonly sweepMs?: number;
}

/**
 * Executes recorded operations page by page. The process that accepted an operation starts at once; the
 * leader resumes the operations of processes that have ended.
 */
export class BulkRunner {
  readonly #options: BulkRunnerOptions;
  readonly #active = new Map<string, Promise<BulkOperationDocument | null>>();
  readonly #sweeps: LeaderTask;

  constructor(options: BulkRunnerOptions) {
    this.#options = options;
    this.#sweeps = new LeaderTask(options.leader, (signal) => this.#sweep(signal), options.log);
  }

  /** Identifies this process among those that may work on an operation. */
  get id(): string {
    return this.#options.runnerId;
  }

  /** Looks for abandoned operations while this process leads. */
  start(): void {
    this.#sweeps.start();
  }

  /** Stops after the pages in progress; other processes resume the operations. */
  async stop(): Promise<void> {
    await Promise.allSettled([this.#sweeps.stop(), ...this.#active.values()]);
  }

  /**
   * Works on an operation until it is done. @returns the operation, or null if another process works on it or
   * this process stops
   */
  run(id: string): Promise<BulkOperationDocument | null> {
    const known = this.#active.get(id);
    if (known) return known;
    const running = this.#work(id).finally(() => this.#active.delete(id));
    this.#active.set(id, running);
    return running;
  }

  /** Starts an operation. Errors are logged, and the leader tries again. */
  runInBackground(id: string): void {
    void this.#runLogged(id);
  }

  async #runLogged(id: string): Promise<void> {
    try {
      await this.run(id);
    } catch (error) {
      this.#options.log.warn({ err: error, operation: id }, 'bulk operation interrupted');
    }
  }

  #sweep(signal: AbortSignal): Promise<void> {
    const { operations, clock, log, sweepMs = 3000 } = this.#options;
    const resume = async (): Promise<void> => {
      // Page by page: an operation that fails again must not hold up those behind it.
      for (let after = ''; !signal.aborted;) {
        const page = await operations.abandoned(clock.now(), after, 10);
        for (const id of page) if (!signal.aborted) await this.#runLogged(id);
        after = page.at(-1) ?? '';
        if (page.length === 0) return;
      }
    };
    return repeat(resume, sweepMs, signal, (err) =>
      log.warn({ err }, 'resuming of abandoned bulk operations failed'),
    );
  }

  async #work(id: string): Promise<BulkOperationDocument | null> {
    const { operations, runnerId, clock } = this.#options;
    const claimed = await operations.claim(id, runnerId, clock.now());
    if (!claimed) return null;
    try {
      const operation = needsCollection(claimed) ? await this.#collect(claimed) : claimed;
      return operation && (await this.#pages(operation));
    } finally {
      await operations.release(id, runnerId);
    }
  }

  /** Applies the operation page by page. */
  async #pages(claimed: BulkOperationDocument): Promise<BulkOperationDocument | null> {
    const { operations, runnerId, clock } = this.#options;
    const id = claimed._id;
    let operation = claimed;
    // A recorded page may have been started before: jobs that carry the operation's mark are not changed
    // again.
    let isResumed = operation.page !== undefined;
    for (;;) {
      const page: readonly string[] = operation.page ?? (await this.#nextPage(operation));
      if (page.length === 0) return await this.#end(operation);
      if (this.#sweeps.stopping.aborted) return null;
      if (!operation.page && !(await operations.beginPage(id, runnerId, page, clock.now()))) return null;
      if (!(await this.#page(operation, page, isResumed))) return null;
      isResumed = false;
      if (!operation.criteria && !operation.isCollected) return await this.#end(operation);
      const { page: _done, ...rest } = operation;
      operation = { ...rest, position: page.at(-1) ?? '' };
    }
  }

  async #end({ _id, isCollected }: BulkOperationDocument): Promise<BulkOperationDocument | null> {
    const { operations, collector, runnerId, clock } = this.#options;
    const ended = await operations.end(_id, runnerId, clock.now());
    if (ended && isCollected) await collector.forget(_id);
    return ended;
  }

  #collect(operation: BulkOperationDocument): Promise<BulkOperationDocument | null> {
    const { collector, runnerId } = this.#options;
    return collector.collect({
      operation,
      bulk: bulkOf(operation, false),
      runnerId,
      selected: (at) => this.#nextPage(at),
      isStopping: () => this.#sweeps.stopping.aborted,
    });
  }

  /** Applies a page and records the result. @returns false if another process works on the operation */
  async #page(
    operation: BulkOperationDocument,
    page: readonly string[],
    isResumed: boolean,
  ): Promise<boolean> {
    const { changes, operations, runnerId, clock, pageSize = 1000 } = this.#options;
    const bulk = bulkOf(operation, isResumed);
    const changed: string[] = [];
    const refused = [];
    for (let start = 0; start < page.length; start += pageSize) {
      if (start > 0 && !(await operations.renew(operation._id, runnerId, clock.now()))) return false;
      const outcome = await changes.apply(bulk, page.slice(start, start + pageSize));
      changed.push(...outcome.changed);
      refused.push(...outcome.refused);
    }
    return operations.endPage(
      operation._id,
      runnerId,
      page,
      { changed, refused },
      !operation.isBackground,
      clock.now(),
    );
  }

  async #nextPage(operation: BulkOperationDocument): Promise<readonly string[]> {
    const { jobs, experiments, pageSize = 1000 } = this.#options;
    const { criteria, visible = [], position, upTo = '', isCollected } = operation;
    if (isCollected) return this.#options.collector.page(operation);
    if (!criteria) return [];
    const plan = planSelection(criteria, visible, await experiments.names());
    const ids = await jobs.ids(plan, pageSize, position);
    return ids.filter((id) => id <= upTo);
  }
}

/** True for a retry with dependents that are not all known. */
function needsCollection({ kind, parameters, isCollected }: BulkOperationDocument): boolean {
  return kind === 'RETRY' && parameters.includeDependents === true && !isCollected;
}

/** Form of an operation that the changes need. */
function bulkOf(operation: BulkOperationDocument, isResumed: boolean): BulkJob {
  const { _id, kind, parameters, requester, createdAt } = operation;
  return { kind, parameters, requester, operationId: _id, createdAt, isResumed };
}
