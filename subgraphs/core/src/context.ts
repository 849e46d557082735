/** What core's resolvers receive. Types only. */
import type { SubgraphContext } from '@rhizome/subgraph';
import type { DeviceFleet } from './events/counts/gpu-occupancy.js';
import type { EventsService } from './events/events.service.js';
import type { ExperimentsService } from './experiments/experiments.service.js';
import type { Explanations } from './scheduler/explain/explanations.js';
import { type ExplanationCaller } from './scheduler/explain/explanations.js';
import type { PendingFacts } from './scheduler/explain/pending.types.js';
import type { Explain } from './scheduler/explain/dry-run.js';
import type { BulkService } from './jobs/bulk/bulk.service.js';
import type { JobLogs } from './jobs/logs/job-logs.js';
import type { JobDocument } from './jobs/model/job.types.js';
import type { JobsService } from './jobs/jobs.service.js';
import type { LogTails } from './jobs/logs/log-tails.js';
import type { SubmitService } from './jobs/submit/submit.service.js';
import type { QueuesService } from './queues/queues.service.js';
import type { SharesService, ShareUsage } from './shares/shares.service.js';
import type { TasksService } from './tasks/tasks.service.js';
import type { SchedulerService } from './scheduler/dispatch/scheduler.service.js';
import type { SchedulerCache } from './scheduler/cache/scheduler-cache.js';
import type { HardwareViews } from './hardware/hardware-map.service.js';
import type { AcquireService } from './workers/acquire.service.js';
import type { CommandHub } from './workers/commands/command-hub.js';
import type { JobHolder } from './workers/reports/job-holder.js';
import type { ReportsService } from './workers/reports/reports.service.js';
import type { WorkerRegistry } from './workers/worker-registry.js';
import type { WorkersService } from './workers/workers.service.js';

/** The context of one operation, or of one event of a stream: the caller, the loaders, and the services of all domains. */
export interface Context extends SubgraphContext {
  readonly core: CoreServices;
}

/** The services of all domains. `app.ts` makes them, each from its ports. */
export interface CoreServices {
  readonly experiments: ExperimentsService;
  readonly shares: SharesService;
  readonly queues: QueuesService;
  readonly events: EventsService;
  /** The broker and the workers. */
  readonly fleet: FleetServices;
  /** What is granted to shares now, from the broker's ledger; one answer a path. */
  readonly shareUsage: (paths: readonly string[]) => Promise<readonly (ShareUsage | null)[]>;
  /** Reads of jobs. */
  readonly jobs: JobsService;
  readonly submits: SubmitService;
  /** Changes of many jobs. */
  readonly bulk: BulkService;
  readonly jobLogs: JobLogs;
  readonly logTails: LogTails;
  /** Devices of the live workers. */
  readonly devices: DeviceFleet;
  readonly tasks: TasksService;
  /** What the broker can say about why jobs wait, in their order; null for one that was sent. */
  readonly pending: (
    jobs: readonly JobDocument[],
    caller: ExplanationCaller,
  ) => Promise<readonly (PendingFacts | null)[]>;
  /** The same for requirements that nobody has submitted. */
  readonly explain: Explain;
}

/** The services, as resolvers and other domains find them. */
export interface FleetServices {
  readonly workers: WorkersService;
  readonly reports: ReportsService;
  readonly acquire: AcquireService;
  readonly scheduler: SchedulerService;
  readonly explanations: Explanations;
  readonly commands: CommandHub;
  readonly holder: JobHolder;
  readonly cache: SchedulerCache;
  readonly registry: WorkerRegistry;
  /** Hardware summed up. */
  readonly hardware: HardwareViews;
}
