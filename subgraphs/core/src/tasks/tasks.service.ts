import { assertCan, experimentsFor, type Principal } from '@rhizome/authz';
import { digestInTurns, isDigestOf } from '@rhizome/digest';
import { badInput, InputErrors } from '@rhizome/errors';
import type { Clock, Ids } from '@rhizome/clock';
import type { KeysetPage } from '@rhizome/mongo';
import type { ClassesRepository } from '../jobs/model/requirement-classes.repository.js';
import { classifier } from '../jobs/submit/classifier.js';
import type {
  ExperimentDirectory,
  ExperimentFacts,
  JobSecrets,
  QueueDirectory,
  StateCounts,
  SubmissionConsents,
} from '../jobs/ports.js';
import { storedKey } from '../shared/stored-key.js';
import { type JobCountsRepository, subtract } from '../jobs/model/job-counts.repository.js';
import type { JobsRepository } from '../jobs/model/jobs.repository.js';
import { normalisePayload, normaliseRetry, type SecretIds } from '../jobs/submit/normalise.js';
import { readableParents } from '../jobs/submit/readable-parents.js';
import { missingConsent, otherIdentities, type Ownership, ownershipOf } from '../jobs/submit/ownership.js';
import { checkSecretIds, lookUpSecrets } from '../jobs/submit/secret-lookup.js';
import { type CheckSelector, requirementChecks } from '../jobs/submit/requirement-checks.js';
import { submissionSchemaVersion } from '../jobs/submit/submission.document.js';
import type { SubmissionsRepository } from '../jobs/submit/submissions.repository.js';
import { keyReused, listed, refusalOf, shareOf } from '../jobs/submit/submit.service.js';
import { endedOf } from '../jobs/model/job-state.js';
import type { Expansion } from './expansion.js';
import {
  taskSchemaVersion,
  type StoredParameterSet,
  type TaskFacts,
  type TaskState,
  type TaskProgressFacts,
} from './task.document.js';
import { checkTask, externalParentsOf, setsPath, shapesOf } from './task-input.js';
import type { DatasetPlan, TaskFiles } from './files/task-files.js';
import type { StoredTaskDataset, TaskDatasetSpec } from './files/task-dataset.types.js';
import type { TasksRepository } from './tasks.repository.js';
import { normaliseFailureLimit } from './limits/failure-limit.js';
import { normaliseScouts } from './scouts/scout-input.js';
import type { ParameterSetSpec, TaskSpec } from './task-spec.types.js';
import { type LiveQuota, payloadBytes } from '../jobs/submit/live-quota.js';
import type { JobInputError, JobInputErrorCode } from '../jobs/submit/job-input-error.types.js';

/** Dependencies of {@link TasksService}. */
export interface TasksServiceOptions {
  readonly tasks: TasksRepository;
  readonly jobs: JobsRepository;
  readonly jobCounts: JobCountsRepository;
  readonly classes: ClassesRepository;
  readonly submissions: SubmissionsRepository;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly secrets: JobSecrets;
  readonly expansion: Expansion;
  /** Files of datasets. */
  readonly files: TaskFiles;
  readonly checkSelector: CheckSelector;
  readonly quota: LiveQuota;
  /** Number of jobs of a task by state according to the event stream; undefined if unknown. */
  readonly liveCounts: (taskId: string) => StateCounts | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** The task, or the errors because of which it was refused. */
export type SubmitTaskResult = { readonly task: TaskFacts } | { readonly refusals: readonly JobInputError[] };

/** Facts of the store that a new task needs. */
interface CreationFacts {
  readonly experiment: ExperimentFacts;
  readonly secretIds: SecretIds;
  /** Absent without a dataset. */
  readonly plan: DatasetPlan | undefined;
}

/** Filter of tasks; absent fields do not filter. */
export interface TaskFilterSpec {
  readonly ids?: readonly string[] | null | undefined;
  readonly experiments?: readonly string[] | null | undefined;
  readonly owners?: readonly string[] | null | undefined;
  readonly states?: readonly TaskState[] | null | undefined;
}

const maxIds = 1000;
const maxOwners = 100;

/** Tasks: groups of jobs under one policy. */
export class TasksService {
  readonly #options: TasksServiceOptions;

  constructor(options: TasksServiceOptions) {
    this.#options = options;
  }

  /**
   * Accepts a task; its jobs are created after the answer. The same key with the same content returns the
   * same task.
   * @throws DomainError FORBIDDEN, LIMIT_EXCEEDED
   */
  async submit(principal: Principal, spec: TaskSpec): Promise<SubmitTaskResult> {
    assertCan(principal, 'task:submit', spec.experiment);
    const owners = ownershipOf(principal, spec.experiment, spec.onBehalfOf);
    if ('refusal' in owners) return { refusals: [owners.refusal] };
    const { submissions, clock, ids } = this.#options;
    const submitted = { ...spec, idempotencyKey: undefined };
    const digest = await digestInTurns(submitted);
    const key = spec.idempotencyKey.slice(0, 201);
    const reservationId = storedKey('task', spec.experiment, principal.subject, key);
    let reserved = await submissions.find(reservationId);
    if (reserved && !isDigestOf(reserved.digest, submitted, digest))
      return { refusals: [keyReused(spec.idempotencyKey)] };
    if (reserved) {
      const [known] = await this.#options.tasks.facts([reserved.batchId]);
      if (known) return { task: known };
    }
    const secretIds = await this.#secretIds(principal, owners, spec);
    const { refusals, experiment } = await this.#examine(spec, secretIds, {
      principal,
      owner: owners.owner,
    });
    const missing = await missingConsent(owners, spec.experiment, this.#options.consents);
    if (missing) return { refusals: [missing] };
    if (!experiment || refusals.length > 0) return { refusals };
    const { owner } = owners;
    const planned = await this.#plan(principal, owner, spec);
    if (planned.refusals.length > 0) return { refusals: planned.refusals };
    const { plan } = planned;
    const linked = otherIdentities(principal, owner);
    if (!reserved) await this.#options.quota.charge(experiment.name, owner, usageOf(spec, plan), linked);
    reserved ??= await submissions.reserve({
      _id: reservationId,
      schemaVersion: submissionSchemaVersion,
      revision: 1,
      createdAt: clock.now(),
      digest,
      batchId: ids.next('task'),
      count: 0,
      refused: [],
    });
    if (!isDigestOf(reserved.digest, submitted, digest))
      return { refusals: [keyReused(spec.idempotencyKey)] };
    return this.#create(owners, spec, { experiment, secretIds, plan }, reserved);
  }

  /** Tasks by id, one entry per id; null if it does not exist or the principal may not read it. */
  async findMany(ids: readonly string[], principal: Principal): Promise<readonly (TaskFacts | null)[]> {
    const visible = experimentsFor(principal, 'task:read');
    const found = new Map((await this.#options.tasks.facts(ids)).map((task) => [task._id, task]));
    return ids.map((id) => {
      const task = found.get(id);
      return task && (visible === '*' || visible.includes(task.experiment)) ? task : null;
    });
  }

  /**
   * Page of the tasks that the principal may read, newest first. @throws DomainError BAD_USER_INPUT,
   * CURSOR_INVALID
   */
  async page(
    principal: Principal,
    filter: TaskFilterSpec | null | undefined,
    { first, after }: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<TaskFacts>> {
    const ids = filter?.ids ?? undefined;
    if (ids && ids.length > maxIds)
      throw badInput('filter.ids', `${ids.length} ids`, `at most ${maxIds} ids`);
    const visible = experimentsFor(principal, 'task:read');
    if ((filter?.owners?.length ?? 0) > maxOwners)
      throw badInput('filter.owners', `${filter?.owners?.length} subjects`, `at most ${maxOwners}`);
    const wanted = filter?.experiments ?? undefined;
    const experiments =
      visible === '*' ? wanted : wanted ? wanted.filter((name) => visible.includes(name)) : visible;
    return this.#options.tasks.page(
      { ids, experiments, owners: filter?.owners ?? undefined, states: filter?.states ?? undefined },
      first,
      after,
    );
  }

  /**
   * Progress of tasks, in order. Ended tasks store it; for others, live counts are used or the index is
   * counted.
   */
  async progressOf(tasks: readonly TaskFacts[]): Promise<readonly TaskProgressFacts[]> {
    const { jobCounts, liveCounts } = this.#options;
    const open = tasks.filter(({ endStates }) => !endStates).map(({ _id }) => _id);
    const live = new Map(open.map((id) => [id, liveCounts(id)]));
    const unknown = open.filter((id) => !live.get(id));
    const [repeated, counted] = await Promise.all([
      jobCounts.repeatedCounts(open.filter((id) => live.get(id))),
      unknown.length > 0 ? jobCounts.stateCounts(unknown) : new Map<string, StateCounts>(),
    ]);
    return tasks.map(({ _id, totalJobs, createdJobs, endStates }) => {
      const counts = live.get(_id);
      const states =
        endStates ?? (counts ? subtract(counts, repeated.get(_id) ?? {}) : (counted.get(_id) ?? {}));
      return { totalJobs, createdJobs, states };
    });
  }

  #secretIds(
    principal: Principal,
    owners: Exclude<Ownership, { readonly refusal: JobInputError }>,
    { experiment, template, variants }: TaskSpec,
  ): Promise<SecretIds> {
    const payloads = [template, ...(variants ?? [])].map(({ payload }) => payload);
    return lookUpSecrets(this.#options, { principal, ...owners, experiment }, payloads);
  }

  async #examine(
    spec: TaskSpec,
    secretIds: SecretIds,
    caller: { readonly principal: Principal; readonly owner: string },
  ): Promise<{ refusals: readonly JobInputError[]; experiment?: ExperimentFacts }> {
    const experiment = await this.#options.experiments.find(spec.experiment);
    const shapes = [spec.template, ...(spec.variants ?? [])];
    const checks = await requirementChecks(
      this.#options,
      experiment,
      shapes.map(({ requirements }) => requirements),
      { owner: caller.owner, payloads: shapes.map(({ payload }) => payload) },
    );
    const refusals = await checkTask(spec, checks);
    if (refusals.length > 0) return { refusals };
    if (!experiment)
      return {
        refusals: [
          refusalOf('EXPERIMENT_NOT_FOUND', ['experiment'], spec.experiment, 'a registered experiment'),
        ],
      };
    const unusable = unusableSecrets(spec, secretIds);
    if (unusable.length > 0) return { refusals: unusable };
    const { share } = spec.template;
    if (share != null && !experiment.shares.includes(shareOf(share, experiment))) {
      const expected = `a share of ${experiment.name}: ${listed(experiment.shares)}`;
      return { refusals: [refusalOf('SHARE_NOT_FOUND', ['template', 'share'], share, expected)] };
    }
    const external = [...externalParentsOf(spec)];
    const parents = await readableParents(this.#options.jobs, caller, external);
    const strange = external.filter((id) => parents.get(id)?.experiment !== experiment.name);
    const expected = `jobs of ${experiment.name} that you may read, or #N`;
    return {
      refusals: strange
        .slice(0, 100)
        .map((id) => refusalOf('DEPENDENCY_INVALID', parentPath(spec, id), id, expected)),
      experiment,
    };
  }

  /** Jobs for the dataset of a task; undefined without one. */
  async #plan(
    principal: Principal,
    owner: string,
    { experiment, dataset, template }: TaskSpec,
  ): Promise<{ readonly refusals: readonly JobInputError[]; readonly plan?: DatasetPlan }> {
    if (!dataset) return { refusals: [] };
    const errors = new InputErrors<JobInputErrorCode>();
    const ownInputs = template.payload.inputs?.length ?? 0;
    const caller = { principal, owner, experiment, ownInputs };
    const plan = await this.#options.files.plan(dataset, caller, errors);
    return { refusals: errors.all, ...(plan && { plan }) };
  }

  async #create(
    owners: Exclude<Ownership, { readonly refusal: JobInputError }>,
    spec: TaskSpec,
    { experiment, secretIds, plan }: CreationFacts,
    reserved: { readonly batchId: string; readonly createdAt: Date },
  ): Promise<SubmitTaskResult> {
    const { tasks, classes, expansion, files, clock } = this.#options;
    const { template, parameterSets, count, dataset } = spec;
    const classOf = classifier(experiment);
    const [shape, ...variants] = shapesOf(spec).map((job) => ({
      name: job.name,
      ...classOf(job),
      payload: normalisePayload(job.payload, secretIds),
    }));
    if (!shape) throw new Error('a task has its template at least');
    await classes.ensure(classOf.classes, reserved.createdAt);
    const totalJobs = plan?.jobs ?? parameterSets?.length ?? count ?? 0;
    const scouts = normaliseScouts(spec.scouts, totalJobs);
    const ownInputs = template.payload.inputs?.length ?? 0;
    const sets =
      dataset && plan ? files.sets(dataset, ownInputs, plan) : parameterSets && storedSets(parameterSets);
    if (sets) await tasks.storeSets(reserved.batchId, sets, clock.now());
    // Otherwise, the sets may not be complete. Files are kept as soon as the task exists.
    if (dataset && !(await files.isClosed(dataset.datasetId)))
      return {
        refusals: [
          refusalOf('INVALID_VALUE', ['jobs', 'dataset', 'datasetId'], dataset.datasetId, 'a closed dataset'),
        ],
      };
    const task = await tasks.create({
      _id: reserved.batchId,
      schemaVersion: taskSchemaVersion,
      revision: 1,
      createdAt: reserved.createdAt,
      updatedAt: reserved.createdAt,
      experiment: experiment.name,
      name: spec.name,
      ...owners,
      share:
        template.share != null
          ? shareOf(template.share, experiment)
          : (experiment.shares[0] ?? `${experiment.name}/default`),
      priority: template.priority ?? 0,
      labels: (template.labels ?? []).map(({ key, value }) => ({ key, value })),
      template: {
        ...shape,
        retry: normaliseRetry(template.retry),
        dependsOn: [...(template.dependsOn ?? [])],
      },
      ...(variants.length > 0 ? { variants } : {}),
      hasParameters: sets != null,
      state: scouts ? 'SCOUTING' : 'EXPANDING',
      totalJobs,
      createdJobs: 0,
      ...(dataset && plan && { dataset: storedDataset(dataset, plan) }),
      ...(scouts && { scouts, createUpTo: scouts.count }),
      ...(spec.maxRunningJobs == null ? {} : { maxRunningJobs: spec.maxRunningJobs }),
      ...(spec.failureLimit && { failureLimit: normaliseFailureLimit(spec.failureLimit) }),
    });
    expansion.begin(task._id);
    return { task };
  }
}

/** Errors for secrets of the template and the variants that were not found. */
function unusableSecrets({ template, variants }: TaskSpec, ids: SecretIds): readonly JobInputError[] {
  const errors = new InputErrors<JobInputErrorCode>();
  checkSecretIds(template.payload, ['template', 'payload'], ids, errors);
  (variants ?? []).forEach(({ payload }, position) => {
    if (payload) checkSecretIds(payload, ['variants', position, 'payload'], ids, errors);
  });
  return errors.all.slice(0, 100);
}

/** Fraction of FINISHED and ended jobs, 0 to 1. */
export function fractionsOf({ totalJobs, states }: TaskProgressFacts): {
  readonly finished: number;
  readonly ended: number;
} {
  const of = (count: number): number => (totalJobs === 0 ? 0 : Math.min(1, count / totalJobs));
  return { finished: of(states.FINISHED ?? 0), ended: of(endedOf(states)) };
}

function* storedSets(sets: readonly ParameterSetSpec[]): Generator<StoredParameterSet> {
  for (const { parameters, dependsOn, variant } of sets) {
    const values = Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
    yield {
      parameters: values,
      ...(dependsOn && dependsOn.length > 0 ? { dependsOn: [...dependsOn] } : {}),
      ...(variant == null ? {} : { variant }),
    };
  }
}

function parentPath({ template, parameterSets }: TaskSpec, parentId: string): readonly string[] {
  const inTemplate = (template.dependsOn ?? []).indexOf(parentId);
  if (inTemplate >= 0) return ['template', 'dependsOn', String(inTemplate)];
  const set = (parameterSets ?? []).findIndex(({ dependsOn }) => dependsOn?.includes(parentId));
  return [...setsPath, String(set), 'dependsOn'];
}

/** Typical size of an input in a payload. */
const bytesOfInput = 250;

/** Jobs of a task, and the bytes of their payloads. */
function usageOf(
  { template, parameterSets, count }: TaskSpec,
  plan: DatasetPlan | undefined,
): {
  readonly jobs: number;
  readonly bytes: number;
} {
  const jobs = plan?.jobs ?? parameterSets?.length ?? count ?? 0;
  return { jobs, bytes: jobs * payloadBytes(template.payload) + (plan?.files ?? 0) * bytesOfInput };
}

/** Weight of the preference for queues near the files of a job, unless the task states another. */
const usualLocality = 10;

function storedDataset(
  { datasetId, by, perJob, localityWeight }: TaskDatasetSpec,
  { files }: DatasetPlan,
): StoredTaskDataset {
  const weight = localityWeight ?? usualLocality;
  return {
    datasetId,
    by: by ?? 'FILES',
    ...(by === 'KEY' ? {} : { perJob: perJob ?? 1 }),
    files,
    ...(weight > 0 ? { localityWeight: weight } : {}),
  };
}
