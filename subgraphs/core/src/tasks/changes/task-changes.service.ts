import type { Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { waitingStates } from '../../jobs/model/job-state.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { ExperimentDirectory, JobAccess, QueueDirectory } from '../../jobs/ports.js';
import type { JobInputErrorCode, JobInputErrors } from '../../jobs/submit/job-input-error.types.js';
import { requirementChecks } from '../../jobs/submit/requirement-checks.js';
import { listed, shareOf } from '../../jobs/submit/submit.service.js';
import { effectOn, type EffectSources, type TaskCommandEffect } from '../control/command-effect.js';
import { refusalToChange } from '../control/task-access.js';
import type { ShapeClass } from '../scouts/scouts.repository.js';
import type { TaskFacts } from '../task.document.js';
import {
  checkBounds,
  checkValues,
  givenValues,
  permissionsOf,
  type TaskValues,
} from './task-change-input.js';
import type { StoredTaskChange, StoredTaskValues } from './task-change.types.js';
import {
  changeableStates,
  type ChangeableTask,
  type TaskChangesRepository,
  type TaskUpdate,
} from './task-changes.repository.js';
import { changedShape, valueChanges } from './task-values.js';

/** Dependencies of {@link TaskChanges}. */
export interface TaskChangesOptions extends EffectSources {
  readonly changes: Pick<TaskChangesRepository, 'find' | 'begin'>;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly access: JobAccess;
  /** Called with each changed task, so that this process knows it at once. */
  readonly onChanged: (taskId: string) => Promise<void>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Change as a caller gives it. */
export interface TaskChangeInput {
  readonly taskId: string;
  readonly changes: TaskValues;
  readonly reason?: string | null | undefined;
  /** True to change nothing and return what would change. */
  readonly isDryRun?: boolean | null | undefined;
}

/** Error because of which the task was not changed. */
export type TaskChangeError = InputError<
  | 'TASK_NOT_FOUND'
  | 'TASK_STATE_CONFLICT'
  | 'FORBIDDEN'
  | Extract<JobInputErrorCode, 'INVALID_VALUE' | 'QUEUE_NOT_FOUND' | 'SHARE_NOT_FOUND'>
>;

/** The task, the change and the jobs that it concerns; or errors. */
export interface TaskChangeResult {
  readonly task: TaskFacts | null;
  readonly change: StoredTaskChange | null;
  /** Jobs that wait. */
  readonly effect: TaskCommandEffect | null;
  /** Number of jobs that will be created with the new values. */
  readonly laterJobCount: number | null;
  readonly userErrors: readonly TaskChangeError[];
}

/** Largest step of an expansion, in jobs. */
const largestStep = 5000;
/** Number of jobs that may be created between the read of a task and the change of it. */
const maxCreatedMeanwhile = largestStep;
/** Number of attempts to accept a change while the jobs of the task are being created. */
const maxRounds = 20;

/** Changes of jobs of tasks that have not started, by principals. */
export class TaskChanges {
  readonly #options: TaskChangesOptions;

  constructor(options: TaskChangesOptions) {
    this.#options = options;
  }

  /** Checks a change and accepts it unless it is a dry run; the leader applies it to the jobs that wait. */
  async change(principal: Principal, input: TaskChangeInput): Promise<TaskChangeResult> {
    const { changes } = this.#options;
    const values = givenValues(input.changes);
    const errors: JobInputErrors = new InputErrors<JobInputErrorCode>();
    checkValues(values, errors);
    if (input.reason != null) errors.lines(['reason'], input.reason, 0, 500);
    if (!errors.isEmpty) return refused(errors.all as readonly TaskChangeError[]);
    for (let round = 0; round < maxRounds; round += 1) {
      const task = await changes.find(input.taskId);
      const prepared = await this.#prepare(principal, input, task, values);
      if ('refusals' in prepared) return refused(prepared.refusals);
      if (!task) continue;
      const { update } = prepared;
      const effect = await effectOn(task._id, waitingStates, this.#options);
      const answer = { effect, laterJobCount: task.totalJobs - task.createdJobs, userErrors: [] };
      if (input.isDryRun === true) return { ...answer, task: visible(task), change: update.change };
      const changed = await this.#begin(task, update);
      if (changed) return { ...answer, task: changed, change: update.change };
    }
    return refused([conflict(input.taskId, 'its state changes too quickly; try again')]);
  }

  async #prepare(
    principal: Principal,
    { taskId, reason }: TaskChangeInput,
    task: ChangeableTask | null,
    values: StoredTaskValues,
  ): Promise<{ readonly update: TaskUpdate } | { readonly refusals: readonly TaskChangeError[] }> {
    for (const permission of permissionsOf(values)) {
      const refusal = refusalToChange(principal, permission, taskId, task, this.#options.access);
      if (refusal) return { refusals: [refusal] };
    }
    if (!task) return { refusals: [] };
    const state = stateConflict(task);
    if (state) return { refusals: [state] };
    const errors: JobInputErrors = new InputErrors<JobInputErrorCode>();
    const share = await this.#share(task, values, errors);
    const [template = task.template, ...variants] = shapesOf(task).map((shape) =>
      changedShape(shape, values),
    );
    await this.#checkQueues(task, [template, ...variants], values, errors);
    if (!errors.isEmpty) return { refusals: errors.all as readonly TaskChangeError[] };
    const full = { ...values, ...(share === undefined ? {} : { share }) };
    return { update: this.#updateOf(principal, task, { values: full, reason }, [template, ...variants]) };
  }

  #updateOf(
    { subject: by }: Principal,
    task: ChangeableTask,
    { values, reason }: { readonly values: StoredTaskValues; readonly reason?: string | null | undefined },
    [template = task.template, ...variants]: readonly ShapeClass[],
  ): TaskUpdate {
    const { clock, ids } = this.#options;
    const id = ids.next('change');
    const why = reason == null || reason === '' ? {} : { reason };
    const before = {
      ...{ priority: task.priority, share: task.share, maxAttempts: task.template.retry.maxAttempts },
      ...{ queue: null, maxRunningJobs: task.maxRunningJobs ?? null },
      ...task.template.requirements,
    };
    const { maxRunningJobs: _limit, ...ofJobs } = values;
    const isOfJobs = Object.keys(ofJobs).length > 0;
    const at = clock.now();
    const ended = isOfJobs ? {} : { endedAt: at, changedJobs: 0, keptJobs: 0 };
    const maxCreatedJobs = task.createdJobs + maxCreatedMeanwhile;
    const upTo = Math.min(task.createUpTo ?? task.totalJobs, maxCreatedJobs + largestStep);
    return {
      maxCreatedJobs,
      change: { id, by, at, ...why, values: valueChanges(before, values), ...ended },
      values,
      ...(isOfJobs ? { open: { id, by, ...why, values: ofJobs, upTo, changedJobs: 0, keptJobs: 0 } } : {}),
      template,
      variants,
    };
  }

  /** Path of the given share. */
  async #share(
    { experiment: name }: ChangeableTask,
    { share }: StoredTaskValues,
    errors: JobInputErrors,
  ): Promise<string | undefined> {
    if (share === undefined) return undefined;
    const experiment = await this.#options.experiments.find(name);
    const path = shareOf(share, { name });
    const shares = experiment?.shares ?? [];
    if (!shares.includes(path))
      errors.add(['changes', 'share'], share, `a share of ${name}: ${listed(shares)}`, 'SHARE_NOT_FOUND');
    return path;
  }

  async #checkQueues(
    { experiment: name }: ChangeableTask,
    shapes: readonly ShapeClass[],
    values: StoredTaskValues,
    errors: JobInputErrors,
  ): Promise<void> {
    const { queues } = this.#options;
    const { queue } = values;
    const checkSelector = () => ({ ok: true }) as const;
    const checks = await requirementChecks({ queues, checkSelector }, { name }, [{ queue }]);
    const wanted = queue == null ? undefined : checks.queue(queue);
    if (wanted !== undefined) {
      errors.add(['changes', 'queue'], queue, wanted, 'QUEUE_NOT_FOUND');
      return;
    }
    for (const named of new Set(shapes.flatMap(({ requirements }) => requirements.queue ?? []))) {
      const bounds = await queues.boundsOf(named);
      const own = shapes.filter(({ requirements }) => requirements.queue === named);
      if (bounds) checkBounds(own, bounds, values, errors);
    }
  }

  async #begin(task: ChangeableTask, update: TaskUpdate): Promise<TaskFacts | null> {
    const { changes, classes, onChanged } = this.#options;
    const shapes = [update.template, ...update.variants];
    await classes.ensure(
      new Map(shapes.map(({ classId, requirements }) => [classId, requirements])),
      update.change.at,
    );
    const changed = await changes.begin(task, update);
    if (changed) await onChanged(task._id);
    return changed;
  }
}

function shapesOf({ template, variants = [] }: ChangeableTask): readonly ShapeClass[] {
  return [template, ...variants].map(({ requirements, classId }) => ({ requirements, classId }));
}

function stateConflict({ _id, state, openChange }: ChangeableTask): TaskChangeError | undefined {
  if (!(changeableStates as readonly string[]).includes(state))
    return conflict(_id, `it is ${state}; only a task that is ${changeableStates.join(', ')} can be changed`);
  if (!openChange) return undefined;
  const { by, changedJobs } = openChange;
  return conflict(_id, `a change by ${by} is being applied, to ${changedJobs} jobs so far; try again later`);
}

function conflict(taskId: string, why: string): TaskChangeError {
  const message = `Task "${taskId}" cannot be changed: ${why}`;
  return { code: 'TASK_STATE_CONFLICT', path: ['taskId'], message };
}

function visible({ template: _template, variants: _variants, ...task }: ChangeableTask): TaskFacts {
  return task;
}

function refused(userErrors: readonly TaskChangeError[]): TaskChangeResult {
  return { task: null, change: null, effect: null, laterJobCount: null, userErrors };
}
