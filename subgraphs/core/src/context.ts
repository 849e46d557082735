/** Context of core's resolvers. Types only. */
import type { SubgraphContext } from '@rhizome/subgraph';
import type { DeviceFleet } from './events/counts/gpu-occupancy.js';
import type { EventsService } from './events/events.service.js';
import type { GroupDiagnosesService } from './diagnosis/group-diagnoses.service.js';
import type { DiagnosesService } from './diagnosis/diagnoses.service.js';
import type { AccessGrantsService } from './access/access-grants.service.js';
import type { ErrorSummaries } from './events/failures/error-summary.service.js';
import type { ConsentsService } from './consents/consents.service.js';
import type { ExperimentsService } from './experiments/experiments.service.js';
import type { Explanations } from './scheduler/explain/explanations.js';
import { type ExplanationCaller } from './scheduler/explain/explanations.js';
import type { PendingFacts } from './scheduler/explain/pending.types.js';
import type { Explain } from './scheduler/explain/dry-run.js';
import type { BulkService } from './jobs/bulk/bulk.service.js';
import type { JobProgress } from './jobs/checkpoints/job-progress.js';
import type { JobLogs } from './jobs/logs/job-logs.js';
import type { JobDocument } from './jobs/model/job.types.js';
import type { JobsService } from './jobs/jobs.service.js';
import type { LogTails } from './jobs/logs/log-tails.js';
import type { SubmitService } from './jobs/submit/submit.service.js';
import type { DowntimesService } from './queues/downtimes/downtimes.service.js';
import type { PoliciesService } from './policies/policies.service.js';
import type { SimulationsService } from './policies/simulation/simulations.service.js';
import type { QueuesService } from './queues/queues.service.js';
import type { SharesService, ShareUsage } from './shares/shares.service.js';
import type { StoragesService } from './storages/storages.service.js';
import type { FileServices } from './files/file-services.types.js';
import type { SecretsService } from './secrets/secrets.service.js';
import type { TaskCommands } from './tasks/control/task-commands.service.js';
import type { TaskChanges } from './tasks/changes/task-changes.service.js';
import type { ScoutingCommands } from './tasks/scouts/scouting-commands.service.js';
import type { DatasetServices } from './datasets/dataset-services.types.js';
import type { UnitServices } from './units/unit-services.types.js';
import type { JobFleetServices } from './fleets/fleet-services.types.js';
import type { PilotServices } from './pilots/pilot-services.types.js';
import type { WorkflowServices } from './workflows/workflow-services.types.js';
import type { TasksService } from './tasks/tasks.service.js';
import type { SchedulerService } from './scheduler/dispatch/scheduler.service.js';
import type { SchedulerCache } from './scheduler/cache/scheduler-cache.js';
import type { HardwareViews } from './hardware/hardware-map.service.js';
import type { AcquireService } from './workers/acquire.service.js';
import type { CommandHub } from './workers/commands/command-hub.js';
import type { JobHolder } from './workers/reports/job-holder.js';
import type { QueueHealth } from './workers/canaries/canary-plan.js';
import type { HostsService } from './workers/hosts/hosts.service.js';
import type { LeaseClockService } from './workers/lease-clock/lease-clock.service.js';
import type { ReportsService } from './workers/reports/reports.service.js';
import type { WorkerDirectory } from './workers/worker-directory.service.js';
import type { WorkerEnds } from './workers/worker-ends.js';
import type { WorkerRegistry } from './workers/worker-registry.js';
import type { SecretDelivery } from './workers/secrets/secret-delivery.js';
import type { WorkersService } from './workers/workers.service.js';

/**
 * Context of one operation, or of one event of a stream: the caller, the loaders, and the services of all
 * domains.
 */
export interface Context extends SubgraphContext {
  readonly core: CoreServices;
}

/** Services of all domains. `composition/core-services.ts` creates them. */
export interface CoreServices {
  readonly experiments: ExperimentsService;
  readonly shares: SharesService;
  readonly access: AccessGrantsService;
  readonly consents: ConsentsService;
  readonly secrets: SecretsService;
  readonly queues: QueuesService;
  readonly downtimes: DowntimesService;
  readonly storages: StoragesService;
  /** Files of jobs. */
  readonly files: FileServices;
  /** Health of queues by id, in order; null without canary jobs. */
  readonly queueHealth: (queueIds: readonly string[]) => Promise<readonly (QueueHealth | null)[]>;
  /** Hosts that are not healthy. */
  readonly hosts: HostsService;
  readonly policies: PoliciesService;
  readonly simulations: SimulationsService;
  readonly events: EventsService;
  /** Summaries of failures. */
  readonly errors: ErrorSummaries;
  /** Scheduler and workers. */
  readonly fleet: FleetServices;
  /** Granted resources of shares, from the scheduler's ledger; one entry per path. */
  readonly shareUsage: (paths: readonly string[]) => Promise<readonly (ShareUsage | null)[]>;
  /** Reads jobs. */
  readonly jobs: JobsService;
  readonly submits: SubmitService;
  /** Changes many jobs. */
  readonly bulk: BulkService;
  readonly jobLogs: JobLogs;
  readonly logTails: LogTails;
  /** Devices of the live workers. */
  readonly devices: DeviceFleet;
  readonly tasks: TasksService;
  /** Commands to tasks: pause, resume, finish, abort. */
  readonly taskCommands: TaskCommands;
  /** Ends the scouting of tasks. */
  readonly scoutingCommands: ScoutingCommands;
  readonly taskChanges: TaskChanges;
  /** Work units. */
  readonly units: UnitServices;
  /** Graphs of nodes that become jobs. */
  readonly workflows: WorkflowServices;
  /** Standing sets of jobs for pools of work units. */
  readonly fleets: JobFleetServices;
  /** Pilots that executors start on batch systems. */
  readonly pilots: PilotServices;
  /** Named sets of files. */
  readonly datasets: DatasetServices;
  /** Explanations of why jobs wait, in the order of the jobs; null for a job that was sent. */
  readonly pending: (
    jobs: readonly JobDocument[],
    caller: ExplanationCaller,
  ) => Promise<readonly (PendingFacts | null)[]>;
  /** Explanations of states of jobs by their causes. */
  readonly diagnoses: DiagnosesService;
  /** Explanations of states of tasks, queues and sites. */
  readonly groupDiagnoses: GroupDiagnosesService;
  /** Explanations for requirements that no job has yet. */
  readonly explain: Explain;
}

/** Services for resolvers and other domains. */
export interface FleetServices {
  readonly workers: WorkersService;
  /** Workers as callers may see them. */
  readonly workerDirectory: WorkerDirectory;
  readonly reports: ReportsService;
  readonly acquire: AcquireService;
  readonly scheduler: SchedulerService;
  readonly explanations: Explanations;
  readonly commands: CommandHub;
  /** Reports of gateways, and the state of the lease clock. */
  readonly leaseClock: LeaseClockService;
  /** Ends of workers that a batch system reports. */
  readonly ends: WorkerEnds;
  readonly holder: JobHolder;
  /** Progress and checkpoints of jobs. */
  readonly progress: JobProgress;
  readonly cache: SchedulerCache;
  readonly registry: WorkerRegistry;
  readonly secretDelivery: SecretDelivery;
  /** Summary of the hardware. */
  readonly hardware: HardwareViews;
}
