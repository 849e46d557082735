import type { Clock } from '@rhizome/clock';
import { planJobFilter } from '../../jobs/model/job-filter.js';
import type { JobCountsRepository } from '../../jobs/model/job-counts.repository.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { StateCounts } from '../../jobs/ports.js';
import type { AmountOffers } from '../../policies/failure-policies.js';
import { endedOf } from '../../jobs/model/job-state.js';
import type { TaskControl } from '../control/task-control.js';
import type { StoredParameterSet, TaskFacts } from '../task.document.js';
import { type ScoutUse, shapeAfterScouts } from './scout-evidence.js';
import { mostScouts, type ScoutOverrides } from './scout-input.js';
import type { ScoutedTask, ScoutsRepository, ShapeClass } from './scouts.repository.js';
import type { StoredScoutResult, StoredScoutShape } from './scouts.types.js';

/** Dependencies of {@link Scouting}. */
export interface ScoutingOptions {
  readonly scouts: ScoutsRepository;
  readonly sets: {
    sets(taskId: string, from: number, count: number): Promise<readonly StoredParameterSet[]>;
  };
  readonly jobs: Pick<JobsRepository, 'ids' | 'find'>;
  readonly jobCounts: Pick<JobCountsRepository, 'stateCounts'>;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
  readonly offers: AmountOffers;
  readonly control: Pick<TaskControl, 'command'>;
  /** Begins to create the other jobs of a task. */
  readonly expand: (taskId: string) => void;
  readonly clock: Clock;
}

/** Author of an end of scouting before the scouts have ended, and the amounts that it gives. */
export interface EarlyEnd {
  readonly by: string;
  readonly reason?: string | undefined;
  readonly overrides: ScoutOverrides;
}

/** Requirements that follow from the scouts that have FINISHED so far. */
export interface ScoutPlan {
  /** The task from which it follows. */
  readonly of: Pick<TaskFacts, '_id' | 'generation'>;
  readonly result: StoredScoutResult;
  readonly template: ShapeClass;
  readonly variants: readonly ShapeClass[];
}

/** Actor that ends tasks whose scouts failed. */
const scoutsActor = 'system:scouts';
const pageSize = 200;
/** Number of error codes that the reason of an abort lists. */
const listedCodes = 3;

/** Decides about the other jobs of tasks when their scouts have ended. */
export class Scouting {
  readonly #options: ScoutingOptions;

  constructor(options: ScoutingOptions) {
    this.#options = options;
  }

  /** Looks at all tasks with scouts: events of their ends may have been missed. */
  async lookThrough(signal: AbortSignal): Promise<void> {
    let behind = '';
    while (!signal.aborted) {
      const tasks = await this.#options.scouts.scouting(behind, pageSize);
      if (tasks.length === 0) return;
      await this.check(tasks);
      behind = tasks.at(-1)?._id ?? behind;
    }
  }

  /** Decides about those of the tasks whose scouts have ended, or of which too many have failed. */
  async check(tasks: readonly TaskFacts[]): Promise<void> {
    const counts = await this.#options.jobCounts.stateCounts(tasks.map(({ _id }) => _id));
    for (const task of tasks) await this.#decide(task, counts.get(task._id) ?? {});
  }

  /** Requirements that follow from the scouts that have FINISHED so far. */
  async plan(task: ScoutedTask, early?: EarlyEnd): Promise<ScoutPlan> {
    const { offers, clock } = this.#options;
    const usesOf = await this.#uses(task);
    const rules = task.scouts?.rules ?? {};
    const shapes = [task.template, ...(task.variants ?? [])].map(({ requirements, classId }, index) =>
      shapeAfterScouts(
        {
          ...{ requirements, rules, overrides: early?.overrides },
          uses: usesOf(index - 1),
          offers: offers.of({ experiment: task.experiment, classId, requirements }),
        },
        index === 0 ? undefined : index - 1,
      ),
    );
    const classes = shapes.map(({ requirements }) => ({ requirements, classId: classIdOf(requirements) }));
    const [template = task.template, ...variants] = classes;
    const result = {
      at: clock.now(),
      ...(early && { by: early.by, ...(early.reason ? { reason: early.reason } : {}) }),
      finished: shapes.reduce((sum, { finished }) => sum + finished, 0),
      shapes: shapes.filter(isEvidence).map(({ requirements: _requirements, ...shape }) => shape),
    };
    return { of: task, result, template, variants };
  }

  /** Carries a plan out. @returns the task; null if its scouting has ended, or the task was changed, since */
  async end({ of, result, template, variants }: ScoutPlan): Promise<TaskFacts | null> {
    const { scouts, classes, expand } = this.#options;
    const all = [template, ...variants].map(({ classId, requirements }) => [classId, requirements] as const);
    await classes.ensure(new Map(all), result.at);
    const ended = await scouts.end(of, result, { template, variants });
    if (ended) expand(of._id);
    return ended;
  }

  async #decide(
    { _id: taskId, scouts, createUpTo, createdJobs }: TaskFacts,
    states: StateCounts,
  ): Promise<void> {
    if (!scouts || createUpTo === undefined) return;
    const { count, maxFailedFraction } = scouts;
    const { FAILED: failed = 0, FINISHED: finished = 0 } = states;
    if (failed > maxFailedFraction * count) {
      const limit = `more than ${Math.round(maxFailedFraction * 100)} %`;
      return this.#abort(taskId, `${failed} of ${count} scouts failed, ${limit}`);
    }
    if (createdJobs < createUpTo || endedOf(states) < createUpTo) return;
    if (finished === 0) return this.#abort(taskId, `None of ${count} scouts finished`);
    const task = await this.#options.scouts.find(taskId);
    if (task) await this.end(await this.plan(task));
  }

  async #abort(taskId: string, why: string): Promise<void> {
    const failed = await this.#jobsOf(taskId, 'FAILED', { 'error.code': 1, retriedBy: 1 });
    const codes = new Map<string, number>();
    for (const { error, retriedBy } of failed)
      if (error && retriedBy === undefined) codes.set(error.code, 1 + (codes.get(error.code) ?? 0));
    const most = [...codes].sort(([, a], [, b]) => b - a).slice(0, listedCodes);
    const list = most.map(([code, count]) => `${code} (${count})`).join(', ');
    const reason = list === '' ? why : `${why}: ${list}`;
    await this.#options.control.command('ABORT', taskId, { by: scoutsActor, reason });
  }

  /** Use of the FINISHED scouts, by the position of their variant; -1 for the template. */
  async #uses({ _id, hasParameters, variants, createUpTo = 0 }: ScoutedTask) {
    const fields = { taskIndex: 1, metrics: 1, 'outputs.sizeBytes': 1 } as const;
    const jobs = await this.#jobsOf(_id, 'FINISHED', fields);
    const sets = hasParameters && variants ? await this.#options.sets.sets(_id, 0, createUpTo) : [];
    const uses = new Map<number, ScoutUse[]>();
    for (const job of jobs) {
      const variant = sets[job.taskIndex ?? -1]?.variant ?? -1;
      uses.set(variant, [...(uses.get(variant) ?? []), useOfJob(job)]);
    }
    return (variant: number): readonly ScoutUse[] => uses.get(variant) ?? [];
  }

  async #jobsOf(
    taskId: string,
    state: 'FINISHED' | 'FAILED',
    fields: Readonly<Record<string, 1>>,
  ): Promise<readonly JobDocument[]> {
    const { jobs } = this.#options;
    const ids = await jobs.ids(planJobFilter({ taskIds: [taskId], states: [state] }, '*', []), mostScouts);
    return jobs.find(ids, fields);
  }
}

/** Shapes without scouts and given amounts stay as they were submitted. */
function isEvidence({ finished, amounts }: StoredScoutShape): boolean {
  return finished > 0 || amounts.some(({ isOverridden }) => isOverridden);
}

/** Memory of a payload that was too short to be measured is not known. */
function useOfJob({ metrics, outputs }: Pick<JobDocument, 'metrics' | 'outputs'>): ScoutUse {
  const { peakMemoryMiB, wallSeconds, peakDiskMiB, isPartial } = metrics ?? {};
  return {
    memoryMiB: isPartial === true ? undefined : peakMemoryMiB,
    walltimeSeconds: wallSeconds,
    diskMiB: peakDiskMiB,
    outputBytes: outputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}
