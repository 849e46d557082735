/**
 * Retries: a copy of each terminal job. The id of a copy is derived from the operation and the job, so that a
 * resumed operation copies nothing twice.
 */
import type { CurrentRights, Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { conflict, isOwn, principalOf, refusalFor } from './bulk-rules.js';
import type { BulkJob, BulkOutcome, BulkRefusal } from './bulk.types.js';
import { changedJob, environmentProblem, type RetryChanges } from './retry-changes.js';
import { inheritedCheckpoints, inherits } from '../checkpoints/inherited-checkpoints.js';
import type { JobProgressRepository } from '../checkpoints/job-progress.repository.js';
import type { Dependencies } from '../dependencies/dependencies.js';
import { retryJobId } from '../model/job-ids.js';
import { isCanary } from '../model/canary-owner.js';
import { isTerminal } from '../model/job-state.js';
import type { JobDocument, StoredPayload } from '../model/job.types.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import { newJobDocument } from '../model/new-job.js';
import type { ClassesRepository } from '../model/requirement-classes.repository.js';
import type { ExperimentDirectory, JobAccess, QueueDirectory } from '../ports.js';

/** Dependencies of {@link JobCopies}. */
export interface JobCopiesOptions {
  readonly jobs: JobsRepository;
  readonly classes: ClassesRepository;
  readonly queues: QueueDirectory;
  readonly experiments: Pick<ExperimentDirectory, 'find'>;
  readonly dependencies: Dependencies;
  readonly checkpoints: Pick<JobProgressRepository, 'findMany' | 'insertNew'>;
  /** Reopens ended tasks whose jobs are retried. */
  readonly reopenTasks: (taskIds: readonly string[]) => Promise<void>;
  /** Source of the rights that the caller has now. */
  readonly rights: CurrentRights;
  readonly access: JobAccess;
  readonly clock: Clock;
}

/** Number of jobs that are copied and written at once. */
const chunkSize = 1000;

/** Creates the copies. */
export class JobCopies {
  readonly #options: JobCopiesOptions;

  constructor(options: JobCopiesOptions) {
    this.#options = options;
  }

  /**
   * Copies terminal jobs. `changed` of the result lists the copies. Parents have smaller ids than their
   * children: pages in the order of the ids write copies of parents first.
   */
  async make(bulk: BulkJob, ids: readonly string[]): Promise<BulkOutcome> {
    const order = [...new Set(ids)];
    const refused: BulkRefusal[] = [];
    const sources = await this.sources(bulk, order, refused);
    const changed: string[] = [];
    const all = await this.#open(bulk, [...sources.values()], refused);
    const here = new Set(all.map(({ _id }) => _id));
    for (let start = 0; start < all.length; start += chunkSize) {
      const chunk = all.slice(start, start + chunkSize);
      changed.push(...(await this.#copy(bulk, chunk, here)));
    }
    return { changed, refused };
  }

  /** Reads the jobs that the caller may retry; adds why it may not retry the others. */
  async sources(
    bulk: BulkJob,
    ids: readonly string[],
    refused: BulkRefusal[],
  ): Promise<Map<string, JobDocument>> {
    const { rights, access, clock } = this.#options;
    const principal = await principalOf(bulk, rights, clock.now());
    const found = new Map((await this.#options.jobs.find(ids)).map((job) => [job._id, job]));
    const sources = new Map<string, JobDocument>();
    for (const id of ids) {
      const job = found.get(id);
      const refusal = refusalFor(principal, 'RETRY', id, job, access);
      if (refusal) refused.push(refusal);
      else if (job && !isTerminal(job.state))
        refused.push(conflict(job, 'only a job that has ended can be retried'));
      else if (job && isCanary(job))
        refused.push(conflict(job, 'a canary job is not retried; core submits the next'));
      else if (job) sources.set(id, job);
    }
    if (bulk.parameters.changes && principal)
      for (const refusal of await this.#changeRefusals(bulk, principal, [...sources.values()])) {
        sources.delete(refusal.jobId);
        refused.push(refusal);
      }
    for (const refusal of await this.#datasetRefusals([...sources.values()])) {
      sources.delete(refusal.jobId);
      refused.push(refusal);
    }
    return sources;
  }

  /** Reasons why jobs cannot add outputs to their datasets again. */
  async #datasetRefusals(sources: readonly JobDocument[]): Promise<readonly BulkRefusal[]> {
    const writers = sources.filter(({ payload }) => payload.outputDatasets);
    const open = new Set<string>();
    for (const experiment of new Set(writers.map((job) => job.experiment))) {
      const own = writers.filter((job) => job.experiment === experiment);
      const ids = new Set(own.flatMap((job) => datasetsOf(job)));
      const facts = await this.#options.experiments.find(experiment);
      for (const { _id, state } of (await facts?.datasets?.([...ids])) ?? [])
        if (state === 'OPEN') open.add(_id);
    }
    return writers.flatMap((job) => {
      const missing = datasetsOf(job).find((id) => !open.has(id));
      return missing === undefined
        ? []
        : [conflict(job, `it adds outputs to dataset "${missing}", which is not open any more`)];
    });
  }

  /** Reasons why the changes cannot be made to some of the jobs. */
  async #changeRefusals(
    bulk: BulkJob,
    principal: Principal,
    sources: readonly JobDocument[],
  ): Promise<readonly BulkRefusal[]> {
    const changed = sources.filter((job) => changesOf(bulk, job) !== undefined);
    const { requirements, payload } = bulk.parameters.changes ?? {};
    const closed = await this.#experimentsWithout(requirements?.queue, changed);
    return changed.flatMap((job): readonly BulkRefusal[] => {
      const jobId = job._id;
      // The copy runs as its owner: who manages a job of another may give it memory, but not another program.
      if (payload && !isOwn(principal, job))
        return [
          {
            jobId,
            code: 'FORBIDDEN',
            message: `You may not change the program of job "${jobId}": it belongs to ${job.owner}`,
          },
        ];
      if (closed.has(job.experiment)) {
        const message = `changes.requirements.queue: "${requirements?.queue ?? ''}" does not exist, or does not admit ${job.experiment}`;
        return [{ jobId, code: 'QUEUE_NOT_FOUND', message }];
      }
      const problem = payload && environmentProblem(job.payload, payload);
      if (problem === undefined) return [];
      const message = `changes.payload.environment: with it, job "${jobId}" ${problem}`;
      return [{ jobId, code: 'INVALID_VALUE', message }];
    });
  }

  /** Experiments of the jobs that the queue does not admit. */
  async #experimentsWithout(
    queue: string | null | undefined,
    jobs: readonly JobDocument[],
  ): Promise<ReadonlySet<string>> {
    const refused = new Set<string>();
    if (queue == null) return refused;
    for (const experiment of new Set(jobs.map((job) => job.experiment)))
      if (!(await this.#options.queues.admitted([queue], experiment)).has(queue)) refused.add(experiment);
    return refused;
  }

  /** The jobs that may be retried once more. */
  async #open(
    bulk: BulkJob,
    sources: readonly JobDocument[],
    refused: BulkRefusal[],
  ): Promise<readonly JobDocument[]> {
    if (bulk.parameters.unlessRetried !== true) return sources;
    const firsts = await this.#markRetried(sources, copyOf(bulk));
    return sources.filter((job) => {
      if (firsts.has(job._id)) return true;
      refused.push(conflict(job, 'it has been retried'));
      return false;
    });
  }

  async #copy(
    bulk: BulkJob,
    sources: readonly JobDocument[],
    all: ReadonlySet<string>,
  ): Promise<readonly string[]> {
    const { jobs, classes, dependencies, clock } = this.#options;
    const copy = copyOf(bulk);
    const renamed = await this.#renamedParents(sources, all, copy);
    const firsts = await this.#markRetried(sources, copy);
    const states = await jobs.parents([
      ...new Set(sources.flatMap(({ dependsOn }) => dependsOn.filter((id) => !renamed.has(id)))),
    ]);
    const now = clock.now();
    const copies = sources.map((source) => {
      const dependsOn = source.dependsOn.map((id) => renamed.get(id) ?? id);
      const { taskId, taskIndex } = source;
      const task =
        taskId !== undefined && taskIndex !== undefined && firsts.has(source._id)
          ? { id: taskId, index: taskIndex }
          : undefined;
      const job = { ...source, ...changedJob(source, changesOf(bulk, source)) };
      return newJobDocument(
        {
          ...job,
          payload: withoutRefusals(job.payload),
          id: copy(source._id),
          createdAt: bulk.createdAt,
          dependsOn,
          waitingFor: dependsOn.filter((id) => states.get(id)?.state !== 'FINISHED'),
          task,
          // A node of a workflow runs again through its workflow.
          workflow: undefined,
          // A fleet replaces its jobs itself.
          fleet: undefined,
          retryOf: source._id,
          actor: bulk.requester.subject,
        },
        now,
      );
    });
    if (bulk.parameters.changes)
      await classes.ensure(new Map(copies.map((copy) => [copy.classId, copy.requirements])), now);
    await this.#inherit(bulk, sources, copies, firsts);
    await jobs.insertNew(copies);
    await dependencies.checkAgain(copies.flatMap(({ waitingFor }) => waitingFor));
    const tasks = new Set(copies.flatMap(({ taskId }) => taskId ?? []));
    if (tasks.size > 0) await this.#options.reopenTasks([...tasks]);
    return copies.map(({ _id }) => _id);
  }

  /** Gives checkpoints to the first copies of their jobs, before these can be granted. */
  async #inherit(
    { parameters: { withCheckpoints } }: BulkJob,
    sources: readonly JobDocument[],
    copies: readonly JobDocument[],
    firsts: ReadonlySet<string>,
  ): Promise<void> {
    const { checkpoints, clock } = this.#options;
    const copied = sources.flatMap((source, at) => {
      const copy = copies[at];
      // A job that is FINISHED has none, and one that never ran either.
      const mayHave = copy && source.attempt > 0 && source.state !== 'FINISHED' && firsts.has(source._id);
      return mayHave && inherits(source.payload, copy.payload, withCheckpoints)
        ? [{ source: source._id, copy: copy._id }]
        : [];
    });
    if (copied.length === 0) return;
    const known = await checkpoints.findMany(copied.map(({ source }) => source));
    await checkpoints.insertNew(inheritedCheckpoints(copied, known, clock.now()));
  }

  /**
   * Parents that this operation also copies, here or on an earlier page: a copy waits for the copy of its
   * parent.
   */
  async #renamedParents(
    sources: readonly JobDocument[],
    here: ReadonlySet<string>,
    copy: CopyOf,
  ): Promise<ReadonlyMap<string, string>> {
    const parents = [...new Set(sources.flatMap(({ dependsOn }) => dependsOn))];
    const elsewhere = parents.filter((id) => !here.has(id));
    const existing = await this.#options.jobs.existing(elsewhere.map(copy));
    return new Map(
      parents.filter((id) => here.has(id) || existing.has(copy(id))).map((id) => [id, copy(id)]),
    );
  }

  /** The jobs whose first copy this is. In a task, the first copy replaces the job. */
  async #markRetried(sources: readonly JobDocument[], copy: CopyOf): Promise<ReadonlySet<string>> {
    return this.#options.jobs.markRepeated(
      sources.map(({ _id, taskId }) => ({ source: _id, copy: copy(_id), taskId })),
    );
  }
}

function datasetsOf({ payload: { outputDatasets = [] } }: Pick<JobDocument, 'payload'>): readonly string[] {
  return outputDatasets.map(({ datasetId }) => datasetId);
}

/** The payload of a job whose outputs are not yet to be added. */
function withoutRefusals(payload: StoredPayload): StoredPayload {
  const { outputDatasets } = payload;
  if (!outputDatasets) return payload;
  return {
    ...payload,
    outputDatasets: outputDatasets.map(({ output, datasetId }) => ({ output, datasetId })),
  };
}

/** Id of the copy of a job. */
type CopyOf = (id: string) => string;

function copyOf({ operationId = '', createdAt }: BulkJob): CopyOf {
  return (id) => retryJobId(operationId, id, createdAt);
}

/** Changes for a job. Dependents, which were closed, are repeated as they were. */
function changesOf({ parameters }: BulkJob, { state }: JobDocument): RetryChanges | undefined {
  return parameters.includeDependents === true && state === 'CLOSED' ? undefined : parameters.changes;
}
