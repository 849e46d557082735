/** Assembles the services of jobs and tasks. Opens nothing and reads no configuration. */
import { type CurrentRights, rightsOfToken } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import { Completion } from '../tasks/completion.js';
import { Expansion } from '../tasks/expansion.js';
import type { TaskFiles } from '../tasks/files/task-files.js';
import { TaskUpkeep } from '../tasks/task-upkeep.js';
import { TasksService } from '../tasks/tasks.service.js';
import { TaskCommands } from '../tasks/control/task-commands.service.js';
import { TaskControl } from '../tasks/control/task-control.js';
import { TaskStops } from '../tasks/control/task-stops.js';
import { FailureLimits } from '../tasks/limits/failure-limits.js';
import { Scouting } from '../tasks/scouts/scouting.js';
import { ScoutingCommands } from '../tasks/scouts/scouting-commands.service.js';
import { TaskChangeWork } from '../tasks/changes/task-change-work.js';
import { TaskChanges } from '../tasks/changes/task-changes.service.js';
import type { AmountOffers } from '../policies/failure-policies.js';
import { BackoffTimer } from '../jobs/transitions/backoff-timer.js';
import { BulkChanges } from '../jobs/bulk/bulk-changes.js';
import { BulkRunner } from '../jobs/bulk/bulk-runner.js';
import { BulkService } from '../jobs/bulk/bulk.service.js';
import type {
  ExperimentDirectory,
  JobEventStream,
  QueueDirectory,
  StateCounts,
  JobSecrets,
  JobAccess,
  SubmissionConsents,
} from '../jobs/ports.js';
import { Dependencies } from '../jobs/dependencies/dependencies.js';
import { DependencyWork } from '../jobs/dependencies/dependency-work.js';
import { type EventHandler, EventWork } from '../jobs/transitions/event-work.js';
import { JobCopies } from '../jobs/bulk/job-copies.js';
import { RetryCollector } from '../jobs/bulk/retry-collector.js';
import { JobLogs } from '../jobs/logs/job-logs.js';
import { JobsService } from '../jobs/jobs.service.js';
import type { CheckSelector } from '../jobs/submit/requirement-checks.js';
import type { JobStores } from './job-stores.repository.js';
import type { LiveUsage } from '../jobs/model/job.types.js';
import { defaultQuotas, LiveQuota, type LiveQuotaLimits } from '../jobs/submit/live-quota.js';
import { SubmitService } from '../jobs/submit/submit.service.js';
import type { TransitionWriter } from '../jobs/transitions/transition.types.js';
import type { WorkflowsRepository } from '../workflows/store/workflows.repository.js';
import type { LeaderWork } from '../shared/leader-task.js';

/** Dependencies of the domain. */
export interface JobDomainOptions {
  readonly stores: JobStores;
  readonly writer: TransitionWriter;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly access: JobAccess;
  readonly secrets: JobSecrets;
  readonly checkSelector: CheckSelector;
  /** Files of datasets for the jobs of tasks. */
  readonly files: TaskFiles;
  readonly stream: JobEventStream;
  readonly leader: LeaderWork;
  /** Number of jobs of a task by state according to the event stream; undefined if unknown. */
  readonly liveCounts: (taskId: string) => StateCounts | undefined;
  /** Largest amounts that workers offer; default: unknown. */
  readonly offers?: AmountOffers | undefined;
  /** Called with tasks that a command changed, before the event stream reports them. */
  readonly onTaskCommand?: ((taskId: string) => Promise<void>) | undefined;
  /** Identifies this process within core. */
  readonly processId: string;
  /** Source of the rights that callers have now; default: those of their tokens. */
  readonly rights?: CurrentRights | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Maximum size of the log of one attempt, in bytes. */
  readonly maxLogBytes?: number | undefined;
  /** Limits of live jobs that differ from the defaults. */
  readonly quotas?: Partial<LiveQuotaLimits> | undefined;
  /** Live jobs, if other domains create some, too. */
  readonly quota?: LiveQuota | undefined;
  /** Receivers of the events of jobs in other domains. */
  readonly handlers?: readonly EventHandler[] | undefined;
  /** Jobs per step of an expansion; for tests. */
  readonly stepSize?: number | undefined;
  /** Interval of the leader's work on tasks, in milliseconds; for tests. */
  readonly upkeepMs?: number | undefined;
}

/** Services for the resolvers, and the background work. */
export interface JobDomain {
  readonly jobs: JobsService;
  readonly submits: SubmitService;
  readonly bulk: BulkService;
  readonly jobLogs: JobLogs;
  readonly tasks: TasksService;
  /** Commands of principals to tasks. */
  readonly taskCommands: TaskCommands;
  /** Commands of parts of core to tasks. */
  readonly taskControl: Pick<TaskControl, 'command' | 'rateSinceResume'>;
  /** Ends of scouting by principals. */
  readonly scoutingCommands: ScoutingCommands;
  /** Changes of jobs of tasks that have not started. */
  readonly taskChanges: TaskChanges;
  readonly dependencies: Dependencies;
  /** Starts the leader's work, which runs while this process leads. */
  start(): void;
  /** Stops after the steps in progress; leadership must have ended. The creator of the writer closes it. */
  stop(): Promise<void>;
}

/** Time limit of a count of live jobs, in milliseconds. */
const longestCountMs = 5000;

/** Limits of the live jobs of all domains. */
export function quotaOf({
  stores,
  held,
  quotas,
  clock,
  log,
}: Pick<JobDomainOptions, 'stores' | 'quotas' | 'clock' | 'log'> & {
  /** Workflows, whose nodes count before they have jobs. */
  readonly held?: Pick<WorkflowsRepository, 'waiting'>;
}): LiveQuota {
  const read = async (experiment: string): Promise<ReadonlyMap<string, LiveUsage>> => {
    const usage = new Map(await stores.jobCounts.liveUsage(experiment, longestCountMs));
    for (const [owner, { jobs, bytes }] of (await held?.waiting(experiment, longestCountMs)) ?? []) {
      const live = usage.get(owner);
      usage.set(owner, { jobs: jobs + (live?.jobs ?? 0), bytes: bytes + (live?.bytes ?? 0) });
    }
    return usage;
  };
  return new LiveQuota({ limits: { ...defaultQuotas, ...quotas }, read, clock, log });
}

/** Changes of many jobs. */
function bulkOf(
  {
    stores,
    writer,
    experiments,
    queues,
    access,
    leader,
    processId: runnerId,
    rights = rightsOfToken,
    clock,
    log,
  }: JobDomainOptions,
  dependencies: Dependencies,
  reopenTasks: (taskIds: readonly string[]) => Promise<void>,
) {
  const { jobs, classes, operations, checkpoints, retryMembers: members } = stores;
  const copies = new JobCopies({
    ...{ jobs, classes, queues, experiments, dependencies, checkpoints },
    ...{ reopenTasks, rights, access, clock },
  });
  const changes = new BulkChanges({ jobs, writer, copies, rights, access, clock });
  const collector = new RetryCollector({ jobs, operations, members, copies, clock });
  const runner = new BulkRunner({
    operations,
    jobs,
    changes,
    collector,
    experiments,
    leader,
    runnerId,
    clock,
    log,
  });
  return { changes, runner };
}

function upkeepOf(
  { stores, leader, clock, log, upkeepMs }: JobDomainOptions,
  completion: Completion,
  scouting: Scouting,
) {
  const everyMs = upkeepMs === undefined ? {} : { everyMs: upkeepMs };
  return new TaskUpkeep({ tasks: stores.tasks, completion, scouting, leader, clock, log, ...everyMs });
}

function controlOf({ stores, clock, onTaskCommand = async () => undefined }: JobDomainOptions): TaskControl {
  const { taskControl: tasks, jobCounts } = stores;
  return new TaskControl({ tasks, jobCounts, onChanged: onTaskCommand, clock });
}

function expansionOf(
  { stores, files, leader, processId: runnerId, clock, log, stepSize }: JobDomainOptions,
  dependencies: Dependencies,
  onComplete: (taskId: string) => Promise<void>,
  control: TaskControl,
): Expansion {
  const { tasks, jobs, classes } = stores;
  const step = stepSize === undefined ? {} : { stepSize };
  return new Expansion({
    ...{ tasks, jobs, classes, dependencies, files, leader, onComplete, runnerId, clock, log, ...step },
    abort: async (taskId, source) => {
      await control.command('ABORT', taskId, source);
    },
  });
}

/** Scouts of tasks. @param expand begins to create the other jobs of a task */
function scoutingOf(
  { stores, clock, offers = { of: () => [] } }: JobDomainOptions,
  control: TaskControl,
  expand: (taskId: string) => void,
): Scouting {
  const { jobs, jobCounts, classes, tasks: sets, scouts } = stores;
  return new Scouting({ scouts, sets, jobs, jobCounts, classes, offers, control, expand, clock });
}

/** Commands to tasks, and the work that stops them. */
function taskControlOf(
  options: JobDomainOptions,
  control: TaskControl,
  scouting: Scouting,
  check: (taskId: string) => Promise<void>,
) {
  const { stores, writer, experiments, queues, access, leader, clock, ids, log, upkeepMs } = options;
  const { jobs, jobCounts, classes, taskControl: tasks, taskChanges: changes, scouts } = stores;
  const { onTaskCommand: onChanged = async () => undefined } = options;
  const everyMs = upkeepMs === undefined ? {} : { everyMs: upkeepMs };
  return {
    changeWork: new TaskChangeWork({ changes, jobs, classes, writer, leader, clock, log, ...everyMs }),
    taskChanges: new TaskChanges({
      ...{ changes, jobs, jobCounts, classes, experiments, queues, access },
      ...{ onChanged, clock, ids },
    }),
    scoutingCommands: new ScoutingCommands({ scouting, scouts, access }),
    stops: new TaskStops({ tasks, jobs, writer, check, leader, clock, log }),
    taskCommands: new TaskCommands({ control, tasks, jobCounts, jobs, access }),
  };
}

/** Creates the domain. */
export function createJobDomain(options: JobDomainOptions): JobDomain {
  const { stores, writer, experiments, queues, consents, secrets, leader, clock, ids, log, checkSelector } =
    options;
  const { jobs, jobCounts, classes, submissions, operations, consumers, logs, tasks } = stores;
  const dependencies = new Dependencies({ jobs, writer });
  const control = controlOf(options);
  const scouting = scoutingOf(options, control, (taskId) => expansion.begin(taskId));
  const completion = new Completion({ tasks, jobCounts, scouting, clock });
  const reopenTasks = async (taskIds: readonly string[]): Promise<void> => {
    await tasks.reopen(taskIds, clock.now());
    await completion.check(taskIds);
  };
  const { changes, runner } = bulkOf(options, dependencies, reopenTasks);
  const onComplete = (taskId: string): Promise<void> => completion.check([taskId]);
  const expansion = expansionOf(options, dependencies, onComplete, control);
  const upkeep = upkeepOf(options, completion, scouting);
  const timer = new BackoffTimer({ jobs, writer, leader, clock, log });
  const { stops, changeWork, ...commands } = taskControlOf(options, control, scouting, onComplete);
  const limits = new FailureLimits({ tasks: stores.taskControl, jobCounts, control, leader });
  const own = [new DependencyWork(dependencies), completion, timer, stops, limits];
  const handlers = [...own, ...(options.handlers ?? [])];
  const events = new EventWork({ stream: options.stream, consumers, leader, handlers, clock, log });
  const quota = options.quota ?? quotaOf(options);
  const submits = new SubmitService({
    jobs,
    classes,
    submissions,
    dependencies,
    experiments,
    queues,
    consents,
    secrets,
    checkSelector,
    quota,
    clock,
    ids,
    log,
  });
  const maxBytes = options.maxLogBytes === undefined ? {} : { maxBytes: options.maxLogBytes };
  const works = [upkeep, expansion, stops, changeWork, runner, timer, events];
  return {
    jobs: new JobsService({ jobs, experiments, queues, access: options.access }),
    submits,
    bulk: new BulkService({ jobs, operations, changes, runner, experiments, clock, ids }),
    jobLogs: new JobLogs({ logs, ...maxBytes }),
    tasks: new TasksService({
      tasks,
      jobs,
      jobCounts,
      classes,
      submissions,
      experiments,
      queues,
      consents,
      secrets,
      expansion,
      files: options.files,
      checkSelector,
      quota,
      liveCounts: options.liveCounts,
      clock,
      ids,
    }),
    ...commands,
    taskControl: control,
    dependencies,
    start() {
      for (const work of works) work.start();
    },
    async stop() {
      await Promise.all(works.map((work) => work.stop()));
      await submits.settle();
    },
  };
}
