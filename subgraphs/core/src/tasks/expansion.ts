import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { Dependencies } from '../jobs/dependencies/dependencies.js';
import { batchJobIds } from '../jobs/model/job-ids.js';
import { sibling } from '../jobs/submit/job-input.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { ClassesRepository } from '../jobs/model/requirement-classes.repository.js';
import type { JobsRepository } from '../jobs/model/jobs.repository.js';
import { repeat, LeaderTask, type LeaderWork } from '../shared/leader-task.js';
import { newJobDocument } from '../jobs/model/new-job.js';
import type { StoredParameterSet, TaskDocument } from './task.document.js';
import type { TasksRepository } from './tasks.repository.js';
import type { CommandSource } from './control/task-control.js';
import { inputNames } from './files/input-names.js';
import { nearTo } from './files/locality.js';
import type { AwaitedFiles } from './files/task-dataset.types.js';
import type { JobFiles, TaskFiles } from './files/task-files.js';
import { fillIn } from './template.js';

/** Dependencies of {@link Expansion}. */
export interface ExpansionOptions {
  readonly tasks: TasksRepository;
  readonly jobs: JobsRepository;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
  readonly dependencies: Dependencies;
  /** Files of datasets. */
  readonly files: Pick<TaskFiles, 'ofJobs'>;
  readonly leader: LeaderWork;
  /** Called when all jobs of a task exist, or its scouts; they may have ended by then. */
  readonly onComplete: (taskId: string) => Promise<void>;
  /** Aborts a task. */
  readonly abort: (taskId: string, source: CommandSource) => Promise<void>;
  /** Identifies this process among those that may expand a task. */
  readonly runnerId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Jobs per step, 1 to 5,000; defaults to 2,000. */
  readonly stepSize?: number;
  /** Interval at which the leader looks for abandoned tasks, in milliseconds; defaults to 3,000. */
  readonly sweepMs?: number;
}

/** Result of a step. */
interface Step {
  /** All jobs with smaller positions exist, or are awaited. */
  readonly upTo: number;
  /** Jobs of the step that wait for files. */
  readonly awaited: readonly AwaitedFiles[];
}

/** A task whose jobs cannot be created, since files of its dataset are no longer recorded. */
class FilesGone extends Error {}

/** Most jobs that wait for their files while jobs behind them are created. */
const mostGaps = 100;
/** Author of the end of tasks whose files are gone. */
const actor = 'system:datasets';
/** Time after which files that a job waits for are checked again, in milliseconds. */
const awaitMs = 10_000;
/** Number of tasks that this process expands concurrently. */
const maxAtOnce = 4;

/**
 * Creates the jobs of tasks step by step, up to the scouts while those have not ended. The process that
 * accepted a task starts at once; the leader resumes the tasks of processes that have ended. Job ids are
 * derived from the task and the position, so a repeated step creates nothing twice.
 */
export class Expansion {
  readonly #options: ExpansionOptions;
  readonly #active = new Map<string, Promise<void>>();
  readonly #waiting: string[] = [];
  readonly #sweeps: LeaderTask;

  constructor(options: ExpansionOptions) {
    this.#options = options;
    this.#sweeps = new LeaderTask(options.leader, (signal) => this.#sweep(signal), options.log);
  }

  /** Looks for abandoned tasks while this process leads. */
  start(): void {
    this.#sweeps.start();
  }

  /** Stops after the steps in progress; other processes resume the tasks. */
  async stop(): Promise<void> {
    this.#waiting.length = 0;
    await Promise.allSettled([this.#sweeps.stop(), ...this.#active.values()]);
  }

  /** Starts or queues the expansion of a task. Errors are logged, and the leader tries again. */
  begin(id: string): void {
    if (this.#sweeps.stopping.aborted || this.#active.has(id)) return;
    if (this.#active.size < maxAtOnce) void this.#run(id);
    else if (!this.#waiting.includes(id)) this.#waiting.push(id);
  }

  #run(id: string): Promise<void> {
    const running = this.#expand(id)
      .catch((error: unknown) =>
        this.#options.log.warn({ err: error, taskId: id }, 'task expansion interrupted'),
      )
      .finally(() => {
        this.#active.delete(id);
        const next = this.#waiting.shift();
        if (next !== undefined) this.begin(next);
      });
    this.#active.set(id, running);
    return running;
  }

  #sweep(signal: AbortSignal): Promise<void> {
    const { tasks, clock, log, sweepMs = 3000 } = this.#options;
    const resume = async (): Promise<void> => {
      for (const id of await tasks.abandoned(clock.now(), 100)) this.begin(id);
    };
    return repeat(resume, sweepMs, signal, (err) => log.warn({ err }, 'search for abandoned tasks failed'));
  }

  async #expand(id: string): Promise<void> {
    const { tasks, runnerId, clock, log, stepSize = 2000, onComplete } = this.#options;
    let task = await tasks.claim(id, runnerId, clock.now());
    if (!task) return;
    const last = task.createUpTo ?? task.totalJobs;
    try {
      let ahead = Math.max(task.createdJobs, task.dataset?.ahead ?? 0);
      let gaps = await this.#filled(task);
      let isRecorded = gaps.length === (task.dataset?.gaps ?? []).length;
      for (let most = mostGaps - gaps.length; !isRecorded || (ahead < last && most > 0);) {
        if (this.#sweeps.stopping.aborted) return;
        if (ahead < last && most > 0) {
          const { upTo, awaited } = await this.#step(task, ahead, Math.min(ahead + stepSize, last), most);
          ahead = upTo;
          gaps = [...gaps, ...awaited];
          most -= awaited.length;
        }
        const created = gaps[0]?.index ?? ahead;
        const all = { isComplete: created === last, ahead, gaps };
        const generation = await tasks.created(id, runnerId, created, all, clock.now());
        if (generation === null) return;
        isRecorded = true;
        if (generation !== (task.generation ?? 0)) task = (await tasks.find([id]))[0] ?? task;
      }
      const [first] = gaps;
      if (first) {
        const nextAt = new Date(clock.now().getTime() + awaitMs);
        return await tasks.awaitFiles(id, runnerId, { ...first, nextAt }, clock.now());
      }
    } catch (error) {
      if (!(error instanceof FilesGone)) throw error;
      // The leader creates the jobs, which are then cancelled without files.
      return await this.#options.abort(id, { by: actor, reason: error.message });
    } finally {
      await tasks.release(id, runnerId);
    }
    // The leader deletes remaining sets later; the task does not wait for it.
    if (task.hasParameters && last === task.totalJobs)
      await tasks
        .dropSets(id)
        .catch((error: unknown) => log.warn({ err: error, taskId: id }, 'deletion of parameter sets failed'));
    await onComplete(id);
  }

  /** Creates jobs that waited for their files. @returns those that still wait */
  async #filled(task: TaskDocument): Promise<readonly AwaitedFiles[]> {
    const waiting: AwaitedFiles[] = [];
    for (const { index } of task.dataset?.gaps ?? []) {
      const { awaited } = await this.#step(task, index, index + 1, 1);
      waiting.push(...awaited);
    }
    return waiting;
  }

  /**
   * Creates the jobs from one position up to, but not including, another, or fewer of them if they have many
   * files; jobs without their files are left out.
   * @param most most jobs that may be left out: the step ends before the next
   */
  async #step(task: TaskDocument, from: number, wanted: number, most: number): Promise<Step> {
    const { tasks, jobs, classes, dependencies, files, clock } = this.#options;
    const sets = task.hasParameters ? await tasks.sets(task._id, from, wanted - from) : undefined;
    if (sets && sets.length !== wanted - from)
      throw new Error(`task ${task._id}: parameter sets ${from} to ${wanted - 1} are not complete`);
    const read = task.dataset && sets ? await files.ofJobs(task, sets, from) : undefined;
    if (read?.areGone) throw new FilesGone('files of its dataset are no longer recorded: it was removed');
    const awaited = (read?.awaited ?? []).slice(0, most);
    const upTo = read?.awaited[most]?.index ?? (read ? from + read.jobs.length : wanted);
    const idAt = batchJobIds(task._id, task.createdAt);
    const parentsAt = (index: number): readonly string[] => {
      const own = sets?.[index - from]?.dependsOn ?? [];
      return [
        ...task.template.dependsOn,
        ...own.map((id) => (sibling.test(id) ? idAt(Number(id.slice(1))) : id)),
      ];
    };
    const left = new Set(awaited.map(({ index }) => index));
    const all = Array.from({ length: upTo - from }, (_, offset) => from + offset);
    const positions = all.filter((index) => !left.has(index));
    const finished = await this.#finished(new Set(positions.flatMap(parentsAt)));
    const now = clock.now();
    const documents = positions.map((index) => {
      const dependsOn = parentsAt(index);
      const waitingFor = dependsOn.filter((parent) => !finished.has(parent));
      const own = { id: idAt(index), dependsOn, waitingFor };
      return jobAt(task, index, { set: sets?.[index - from], files: read?.jobs[index - from] }, own, now);
    });
    if (task.dataset?.localityWeight !== undefined)
      await classes.ensure(new Map(documents.map((job) => [job.classId, job.requirements])), now);
    await jobs.insertNew(documents);
    await dependencies.checkAgain(documents.flatMap(({ waitingFor }) => waitingFor));
    return { upTo, awaited };
  }

  async #finished(parents: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const found = await this.#options.jobs.parents([...parents]);
    return new Set([...found.values()].flatMap(({ _id, state }) => (state === 'FINISHED' ? [_id] : [])));
  }
}

/** Inputs of the template, and files of the dataset under names that differ from theirs. */
function withFiles(inputs: JobFiles['inputs'], files: JobFiles['inputs']): JobFiles['inputs'] {
  const [own, more] = [inputs, files].map((some) => some.map(({ name }) => name));
  const names = inputNames(more ?? [], own);
  return [...inputs, ...files.map((file, at) => ({ ...file, name: names[at] ?? file.name }))];
}

function jobAt(
  task: TaskDocument,
  index: number,
  { set, files }: { readonly set: StoredParameterSet | undefined; readonly files: JobFiles | undefined },
  taskPart: {
    readonly id: string;
    readonly dependsOn: readonly string[];
    readonly waitingFor: readonly string[];
  },
  now: Date,
): JobDocument {
  const {
    template,
    variants = [],
    createdAt,
    experiment,
    owner,
    submittedBy,
    share,
    priority,
    labels,
  } = task;
  const shape = set?.variant === undefined ? template : variants[set.variant];
  if (!shape)
    throw new Error(`task ${task._id}: job ${index} refers to variant ${set?.variant}, which does not exist`);
  const { name, payload: filled } = fillIn(shape, index, { ...set?.parameters, ...files?.parameters });
  const payload = files ? { ...filled, inputs: withFiles(filled.inputs, files.inputs) } : filled;
  const weight = task.dataset?.localityWeight;
  const sites = files?.sites ?? [];
  const { requirements, classId } =
    weight !== undefined && sites.length > 0 ? nearTo(shape, sites, weight) : shape;
  const { retry } = template;
  return newJobDocument(
    {
      ...taskPart,
      createdAt,
      experiment,
      name,
      owner,
      submittedBy,
      share,
      priority,
      labels,
      requirements,
      classId,
      payload,
      retry,
      task: { id: task._id, index },
    },
    now,
  );
}
