/** Resolvers of the event stream: unpack, call, map. */
import type { Policies, Principal } from '@rhizome/authz';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { loadJob } from '../../jobs/graphql/job-loader.js';
import { jobProjection } from '../../jobs/graphql/job-fields.js';
import { queueEntity } from '../../queues/graphql/resolvers.js';
import { shareOf, shareOfPolicy } from '../../shares/graphql/resolvers.js';
import { hasTaskEnded, type TaskFacts } from '../../tasks/task.document.js';
import type { TasksService } from '../../tasks/tasks.service.js';
import type { GpuVendor, Resolvers } from '../../types.generated.js';
import type { TaskSource } from '../counts/count-stream.js';
import { encodeCursor } from '../feed/cursor.js';
import type { JobStateEvent } from '../hub/job-changes.js';
import { isKnownFromEvent, jobOfEvent } from './event-job.js';
import { checkedInterval } from './interval.js';

/** Progress is reported with heartbeats. */
const shortestProgressMs = 1000;
const defaultProgressMs = 5000;
/** Stored fields that decide who may read a job. */
const visibilityFields = { experiment: 1, state: 1, queue: 1, workerId: 1, fence: 1 } as const;

export const eventResolvers: Pick<
  Resolvers,
  | 'Query'
  | 'GpuOccupancy'
  | 'GpuOccupancyChanged'
  | 'JobCount'
  | 'JobCountsChanged'
  | 'JobStateChanged'
  | 'JobStateEvent'
  | 'JobProgressChanged'
  | 'QueueChanged'
  | 'TaskProgressChanged'
  | 'WorkerChanged'
> & {
  readonly Subscription: Pick<
    NonNullable<Resolvers['Subscription']>,
    | 'jobStateChanged'
    | 'taskProgress'
    | 'jobCountsChanged'
    | 'queueChanged'
    | 'workerChanged'
    | 'jobLogAppended'
    | 'gpuOccupancyChanged'
    | 'jobProgressChanged'
  >;
} = {
  Query: {
    jobCounts: (_parent, { filter }, { core, principal }) => core.events.jobCounts(filter, principal),
  },
  Subscription: {
    jobStateChanged: {
      subscribe: (_parent, { filter, after, mode }, { core, principal, signal }) =>
        core.events.jobStateChanged(filter, after, principal, signal, mode ?? 'EVERY'),
      resolve: (change: unknown) => change as never,
    },
    taskProgress: {
      subscribe: (_parent, { id }, { core, principal, signal }) =>
        core.events.taskProgress(id, progressOf(id, core.tasks, principal), signal),
      resolve: (change: unknown) => change as never,
    },
    jobCountsChanged: {
      subscribe: (_parent, { filter, intervalMs }, { core, principal, signal }) =>
        core.events.jobCountsChanged(filter, checkedInterval(intervalMs), principal, signal),
      resolve: (change: unknown) => change as never,
    },
    queueChanged: {
      subscribe: (_parent, { filter, after }, { core, principal, signal }) =>
        core.events.documents.queues({ filter, after, principal, signal }, core.queues),
      resolve: (change: unknown) => change as never,
    },
    workerChanged: {
      subscribe: (_parent, { filter, after }, { core, principal, signal }) =>
        core.events.documents.workers({ filter, after, principal, signal }, core.fleet.workerDirectory),
      resolve: (change: unknown) => change as never,
    },
    jobLogAppended: {
      subscribe: (_parent, { jobId, after }, { core, principal, signal }) =>
        core.events.logAppended(core.logTails, { jobId, after, principal }, signal),
      resolve: (change: unknown) => change as never,
    },
    jobProgressChanged: {
      subscribe: (_parent, { ids, intervalMs }, { core, principal, signal }) =>
        core.events.jobProgressChanged(
          {
            readable: async (wanted) => {
              const found = await core.jobs.findMany(wanted, visibilityFields, principal);
              return found.flatMap((job) => job?._id ?? []);
            },
            progress: (wanted) => core.fleet.progress.findMany(wanted),
          },
          { ids, intervalMs: checkedInterval(intervalMs ?? defaultProgressMs, shortestProgressMs) },
          signal,
        ),
      resolve: (change: unknown) => change as never,
    },
    gpuOccupancyChanged: {
      subscribe: (_parent, { filter, intervalMs }, { core, principal, signal }) =>
        core.events.gpuOccupancyChanged(
          core.devices,
          { filter, intervalMs: checkedInterval(intervalMs), principal },
          signal,
        ),
      resolve: (change: unknown) => change as never,
    },
  },
  JobStateChanged: {
    cursor: ({ token }) => encodeCursor(token),
    event: (change) => (change.event ? (change as JobStateEvent) : null),
  },
  JobStateEvent: {
    job: (change, _args, { core }, info) =>
      isKnownFromEvent(info) ? jobOfEvent(change.event) : core.events.readJob(change, jobProjection(info)),
    previousState: ({ event }) => event.last.from ?? null,
    state: ({ event }) => event.last.to,
    attempt: ({ event }) => event.last.attempt,
    actor: ({ event }) => ({ subject: event.last.actor }),
    reason: ({ event }) => event.last.reason ?? null,
    at: ({ event }) => event.last.at,
    revision: ({ event }) => event.last.revision,
    coalescedCount: ({ coalesced }) => coalesced,
  },
  QueueChanged: {
    cursor: ({ token }) => encodeCursor(token),
    event: ({ document }) => document && { queue: document },
  },
  WorkerChanged: {
    cursor: ({ token }) => encodeCursor(token),
    event: ({ document }) => document && { worker: document },
  },
  GpuOccupancy: {
    queue: ({ queue: name }, _args, { loaders }) => loaders.load(queueEntity.loader, { name }),
    queueName: ({ queue }) => queue,
    // If jobs have a model that no live worker has, the counts know only its name.
    vendor: ({ vendor }) => (vendor === 'UNKNOWN' ? null : (vendor as GpuVendor)),
  },
  JobCount: {
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    experimentName: ({ experiment }) => experiment,
    queue: ({ queue: name }, _args, { loaders }) =>
      name === null ? null : loaders.load(queueEntity.loader, { name }),
    queueName: ({ queue }) => queue,
    share: shareOf,
    sharePath: ({ share }) => share,
  },
  JobProgressChanged: {
    cursor: ({ token }) => encodeCursor(token),
    jobs: async ({ jobIds }, _args, context, info) => {
      const found = await Promise.all(jobIds.map((id) => loadJob(id, context, info)));
      return found.filter((job) => job !== null);
    },
  },
  GpuOccupancyChanged: {
    cursor: ({ token }) => encodeCursor(token),
  },
  TaskProgressChanged: {
    cursor: ({ token }) => encodeCursor(token),
  },
  JobCountsChanged: {
    cursor: ({ token }) => encodeCursor(token),
  },
};

function progressOf(
  id: string,
  tasks: TasksService,
  principal: Principal,
): Omit<TaskSource<TaskFacts>, 'onWritten'> {
  return {
    find: async () => (await tasks.findMany([id], principal))[0] ?? null,
    progress: async (task) => {
      const [progress] = await tasks.progressOf([task]);
      return progress ?? { totalJobs: task.totalJobs, createdJobs: task.createdJobs, states: {} };
    },
    hasEnded: hasTaskEnded,
  };
}

export const eventPolicies: Policies = {
  'JobCount.share': shareOfPolicy,
  'Query.jobCounts': { action: 'job:read' },
  // The service limits the experiments to those that the caller may follow.
  'Subscription.jobStateChanged': { action: 'events:read' },
  'Subscription.jobCountsChanged': { action: 'events:read' },
  'Subscription.taskProgress': { action: 'task:read' },
  'Subscription.queueChanged': { action: 'queue:read' },
  'Subscription.workerChanged': { action: 'worker:read' },
  'Subscription.jobLogAppended': { action: 'job:read' },
  'Subscription.jobProgressChanged': { action: 'job:read' },
  'Subscription.gpuOccupancyChanged': { action: 'worker:read' },
};
