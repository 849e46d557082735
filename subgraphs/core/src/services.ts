/**
 * The services of all domains, as resolvers find them in their context. `app.ts` makes them, each from its collaborators; a domain adds its
 * own line here. Types only: nothing is imported at run time.
 */
import type { DeviceFleet } from './events/counts/gpu-occupancy.js';
import type { EventsService } from './events/events.service.js';
import type { ExperimentsService } from './experiments/experiments.service.js';
import type { ExplanationCaller } from './scheduler/explain/explanations.js';
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
import type { FleetServices } from './composition/fleet.module.js';
import type { TasksService } from './tasks/tasks.service.js';

/** See the head of this file. */
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
