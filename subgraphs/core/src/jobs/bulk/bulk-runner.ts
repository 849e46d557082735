import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { BulkChanges } from './bulk-changes.js';
import type { BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkRepository } from './bulk.repository.js';
import type { BulkJob } from './bulk.types.js';
import type { ExperimentDirectory } from '../ports.js';
import { planJobFilter } from '../model/job-filter.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import { repeat, LeaderTask, type LeaderWork } from '../../shared/leader-task.js';

/** What {@link BulkRunner} works with. */
export interface BulkRunnerOptions {
  readonly operations: BulkRepository;
  readonly jobs: JobsRepository;
  readonly changes: BulkChanges;
  readonly experiments: ExperimentDirectory;
  readonly leader: LeaderWork;
  /** Names this process among those that may work on an operation. */
  readonly runnerId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Jobs in one page; 1,000 unless given. */
  readonly pageSize?: number;
  /** How often the leader looks for operations that nobody works on, in milliseconds; 3,000 unless given. */
  readonly sweepMs?: number;
}

/**
 * Carries recorded operations out, page by page. The process that accepted an operation begins at once; the leader goes on with those whose
 * process ended.
 */
export class BulkRunner {
  readonly #options: BulkRunnerOptions;
  readonly #active = new Map<string, Promise<BulkOperationDocument | null>>();
  readonly #sweeps: LeaderTask;

  constructor(options: BulkRunnerOptions) {
    this.#options = options;
    this.#sweeps = new LeaderTask(options.leader, (signal) => this.#sweep(signal));
  }

  /** Looks for abandoned operations whenever this process leads. */
  start(): void {
    this.#sweeps.start();
  }

  /** Ends after the pages under way; others go on with the operations. */
  async stop(): Promise<void> {
    await Promise.allSettled([this.#sweeps.stop(), ...this.#active.values()]);
  }

  /** Works on an operation until it is done; resolves to it, or to null where somebody else works on it or this process stops. */
  run(id: string): Promise<BulkOperationDocument | null> {
    const known = this.#active.get(id);
    if (known) return known;
    const running = this.#work(id).finally(() => this.#active.delete(id));
    this.#active.set(id, running);
    return running;
  }

  /** Begins to work on an operation; what goes wrong is logged, and the leader tries again. */
  runInBackground(id: string): void {
    this.run(id).catch((error: unknown) =>
      this.#options.log.warn(
        { err: error, operation: id },
        'a bulk operation was interrupted and goes on later',
      ),
    );
  }

  #sweep(signal: AbortSignal): Promise<void> {
    const { operations, clock, log, sweepMs = 3000 } = this.#options;
    const resume = async (): Promise<void> => {
      for (const id of await operations.abandoned(clock.now(), 10)) {
        if (!signal.aborted) await this.run(id);
      }
    };
    return repeat(resume, sweepMs, signal, (err) =>
      log.warn({ err }, 'abandoned bulk operations could not be resumed'),
    );
  }

  async #work(id: string): Promise<BulkOperationDocument | null> {
    const { operations, runnerId, clock } = this.#options;
    let operation = await operations.claim(id, runnerId, clock.now());
    if (!operation) return null;
    // A page that is noted may have been begun: what bears the operation's mark is not done again.
    let isResumed = operation.page !== undefined;
    try {
      for (;;) {
        const page: readonly string[] = operation.page ?? (await this.#nextPage(operation));
        if (page.length === 0) return await operations.end(id, runnerId, clock.now());
        if (this.#sweeps.stopping.aborted) return null;
        if (!operation.page && !(await operations.beginPage(id, runnerId, page, clock.now()))) return null;
        if (!(await this.#page(operation, page, isResumed))) return null;
        isResumed = false;
        if (!operation.criteria) return await operations.end(id, runnerId, clock.now());
        const { page: _done, ...rest } = operation;
        operation = { ...rest, position: page.at(-1) ?? '' };
      }
    } finally {
      await operations.release(id, runnerId);
    }
  }

  /** Carries a page out and notes what became of it; false when somebody else works on the operation. */
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
    const { criteria, visible = [], position, upTo = '' } = operation;
    if (!criteria) return [];
    const plan = planJobFilter(criteria, visible, await experiments.names());
    const ids = await jobs.ids(plan, pageSize, position);
    return ids.filter((id) => id <= upTo);
  }
}

/** An operation as the changes need it. */
function bulkOf(operation: BulkOperationDocument, isResumed: boolean): BulkJob {
  const { _id, kind, parameters, requester, createdAt } = operation;
  return { kind, parameters, requester, operationId: _id, createdAt, isResumed };
}
