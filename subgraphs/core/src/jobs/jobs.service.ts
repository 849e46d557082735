import { experimentsFor, type Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { mayChange } from './bulk/bulk-rules.js';
import type { ExperimentDirectory, JobAccess, QueueDirectory } from './ports.js';
import { isTerminal, type JobState } from './model/job-state.js';
import { assertFilterSize } from './model/job-filter-size.js';
import { needsKnown, planJobFilter, type JobCriteria, type JobFilterPlan } from './model/job-filter.js';
import type { AttemptCriteria } from './model/job-search.js';
import {
  type JobView,
  listableQueues,
  maySeeEnvironment,
  maySeeJob,
  maySeeParent,
} from './model/job-visibility.js';
import type { JobDocument } from './model/job.types.js';
import { visibilityOf } from '../shared/visibility.js';
import type { JobProjection, JobsRepository } from './model/jobs.repository.js';

/** Dependencies of {@link JobsService}. */
export interface JobsServiceOptions {
  readonly jobs: JobsRepository;
  readonly experiments: ExperimentDirectory;
  readonly queues: Pick<QueueDirectory, 'idOf'>;
  readonly access: JobAccess;
}

/** Filter of jobs as a caller gives it; absent fields do not filter. */
export interface JobFilterSpec {
  readonly ids?: readonly string[] | null | undefined;
  readonly experiments?: readonly string[] | null | undefined;
  readonly taskIds?: readonly string[] | null | undefined;
  readonly owners?: readonly string[] | null | undefined;
  /** Queue names. */
  readonly queues?: readonly string[] | null | undefined;
  readonly states?: readonly JobState[] | null | undefined;
  readonly shares?: readonly string[] | null | undefined;
  readonly labels?: readonly { readonly key: string; readonly value: string }[] | null | undefined;
  readonly gpuModels?: readonly string[] | null | undefined;
  readonly attempts?: AttemptCriteria | null | undefined;
  readonly images?: readonly string[] | null | undefined;
  readonly text?: string | null | undefined;
  readonly createdFrom?: Date | null | undefined;
  readonly createdBefore?: Date | null | undefined;
}

/** Requested page. */
export interface JobPageRequest {
  readonly order: 'NEWEST' | 'OLDEST';
  readonly first: number;
  readonly after?: string | null | undefined;
  readonly projection: JobProjection;
}

/** Each value once; undefined where none is given. */
function listed<T>(values: readonly T[] | null | undefined): readonly T[] | undefined {
  return values ? [...new Set(values)] : undefined;
}

/** Reads the jobs that the caller may see. */
export class JobsService {
  readonly #options: JobsServiceOptions;

  constructor(options: JobsServiceOptions) {
    this.#options = options;
  }

  /**
   * Jobs by id, one entry per id; null if the job does not exist or the principal may not read it.
   * @param as reads them as parents of a job that the principal may read
   */
  async findMany(
    ids: readonly string[],
    projection: JobProjection,
    principal: Principal,
    as: 'job' | 'parent' = 'job',
  ): Promise<readonly (JobDocument | null)[]> {
    const maySee = as === 'parent' ? maySeeParent : maySeeJob;
    const visible = visibilityOf(principal, 'job:read');
    const jobs = await this.#options.jobs.findVisible(visible, ids, projection);
    const found = new Map(jobs.map((job) => [job._id, job]));
    return ids.map((id) => {
      const job = found.get(id);
      return job && maySee(principal, job) ? job : null;
    });
  }

  /** Page of jobs, ordered by id. @throws DomainError BAD_USER_INPUT, CURSOR_INVALID */
  async page(
    principal: Principal,
    filter: JobFilterSpec | null | undefined,
    request: JobPageRequest,
  ): Promise<KeysetPage<JobDocument>> {
    const { plan, ...read } = await this.#pageRead(principal, filter, request);
    return this.#options.jobs.page(plan, read);
  }

  /** Several pages, in order, read together. @throws DomainError BAD_USER_INPUT, CURSOR_INVALID */
  async pages(
    principal: Principal,
    wanted: readonly (JobPageRequest & { readonly filter: JobFilterSpec })[],
  ): Promise<readonly KeysetPage<JobDocument>[]> {
    const reads = wanted.map(({ filter, ...request }) => this.#pageRead(principal, filter, request));
    return this.#options.jobs.pages(await Promise.all(reads));
  }

  async #pageRead(
    principal: Principal,
    filter: JobFilterSpec | null | undefined,
    { order, first, after, projection }: JobPageRequest,
  ) {
    if (!Number.isInteger(first) || first < 1 || first > 100) throw badInput('first', first, '1 to 100');
    const plan = await this.plan(principal, await this.criteria(filter));
    const direction = order === 'OLDEST' ? (1 as const) : (-1 as const);
    return { plan, direction, first, after, projection };
  }

  /**
   * Stored criteria of a filter. A queue that does not exist matches nothing. @throws DomainError
   * BAD_USER_INPUT
   */
  async criteria(filter: JobFilterSpec | null | undefined): Promise<JobCriteria> {
    assertFilterSize(filter);
    const { queues, labels } = filter ?? {};
    const { queues: directory } = this.#options;
    return {
      ids: listed(filter?.ids),
      experiments: listed(filter?.experiments),
      taskIds: listed(filter?.taskIds),
      owners: listed(filter?.owners),
      queueIds: queues
        ? await Promise.all(listed(queues)?.map(async (name) => (await directory.idOf(name)) ?? 'none') ?? [])
        : undefined,
      states: listed(filter?.states),
      shares: listed(filter?.shares),
      labels: listed(labels?.map(({ key, value }) => `${key}=${value}`)),
      gpuModels: listed(filter?.gpuModels),
      attempts: filter?.attempts ?? undefined,
      images: listed(filter?.images),
      text: filter?.text ?? undefined,
      createdFrom: filter?.createdFrom ?? undefined,
      createdBefore: filter?.createdBefore ?? undefined,
    };
  }

  /** Query plan of the criteria within the jobs that the principal may read. */
  async plan(principal: Principal, criteria: JobCriteria): Promise<JobFilterPlan> {
    const visible = experimentsFor(principal, 'job:read');
    const within = await this.#within(principal, criteria);
    const known = needsKnown(within, visible) ? await this.#options.experiments.names() : [];
    return planJobFilter(within, visible, known);
  }

  /** Limits criteria to the queues whose jobs the principal may list. */
  async #within(principal: Principal, criteria: JobCriteria): Promise<JobCriteria> {
    const own = listableQueues(principal);
    if (own === undefined) return criteria;
    const ids = await Promise.all(own.map((name) => this.#options.queues.idOf(name)));
    const queueIds = ids.filter((id) => id !== null).filter((id) => criteria.queueIds?.includes(id) ?? true);
    return { ...criteria, queueIds };
  }

  /** Returns true if the principal may cancel the job now. */
  canCancel(
    principal: Principal,
    job: Pick<JobDocument, '_id' | 'experiment' | 'owner' | 'submittedBy' | 'taskId' | 'share' | 'state'>,
  ): boolean {
    return !isTerminal(job.state) && mayChange(principal, 'job:cancel', job, this.#options.access);
  }

  /** Returns true if the principal may read the environment of the job's payload. */
  maySeeEnvironment(principal: Principal, job: JobView): boolean {
    if (maySeeEnvironment(principal, job)) return true;
    return this.#options.access.allows(principal, job, 'READ');
  }
}
