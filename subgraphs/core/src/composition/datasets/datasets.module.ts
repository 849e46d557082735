/** Assembles datasets: their services, the registration of outputs, and the upkeep on the leader. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { DatasetFilesService, type DatasetFilesOptions } from '../../datasets/dataset-files.service.js';
import type { DatasetServices } from '../../datasets/dataset-services.types.js';
import { DatasetUpkeep } from '../../datasets/dataset-upkeep.js';
import { type DatasetsOptions, DatasetsService } from '../../datasets/datasets.service.js';
import { OutputRegistration } from '../../datasets/output-registration.js';
import { EventWork, type EventWorkOptions } from '../../jobs/transitions/event-work.js';
import type { ExperimentFacts } from '../../jobs/ports.js';
import type { LeaderWork } from '../../shared/leader-task.js';
import { TaskFiles, type TaskFilesOptions } from '../../tasks/files/task-files.js';
import type { DatasetStores } from './dataset-stores.repository.js';

/** Dependencies of {@link datasetsModule}. */
export interface DatasetsModuleOptions {
  readonly stores: DatasetStores;
  readonly storages: TaskFilesOptions['storages'];
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly taskOf: DatasetsOptions['taskOf'];
  readonly submitterOf: DatasetsOptions['submitterOf'];
  readonly onReplicas: DatasetFilesOptions['onReplicas'];
  /** Events of jobs. */
  readonly stream: EventWorkOptions['stream'];
  readonly consumers: EventWorkOptions['consumers'];
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Datasets with their background work. */
export interface DatasetsModule extends DatasetServices {
  /** Datasets as submits need them. */
  readonly facts: NonNullable<ExperimentFacts['datasets']>;
  /** Files for the jobs of tasks. */
  readonly taskFiles: TaskFiles;
  /** Starts the background work, which runs on the leader. */
  start(): void;
  stop(): Promise<void>;
}

/** Creates the services. */
export function datasetsModule(options: DatasetsModuleOptions): DatasetsModule {
  const { stores, storages, experimentExists, taskOf, onReplicas, leader, clock, ids, log } = options;
  const { submitterOf, stream, consumers } = options;
  const { datasets: repository, files: entries, jobs } = stores;
  const outputs = new OutputRegistration({ files: entries, jobs, clock, log });
  const upkeep = new DatasetUpkeep({
    ...{ datasets: repository, files: entries, leader, log },
    readingTask: (datasetId) => taskOf(datasetId, 'READS'),
  });
  // With a position of its own: many outputs delay neither tasks nor workflows.
  const events = new EventWork({
    ...{ stream, consumers, leader, clock, log },
    ...{ consumer: 'datasets', handlers: [outputs] },
  });
  return {
    datasets: new DatasetsService({
      ...{ datasets: repository, jobs, outputs, experimentExists, taskOf, submitterOf, clock, ids },
    }),
    files: new DatasetFilesService({ datasets: repository, files: entries, storages, onReplicas, clock }),
    taskFiles: new TaskFiles({ datasets: repository, files: entries, storages }),
    facts: (datasetIds) => repository.findMany(datasetIds),
    start() {
      events.start();
      upkeep.start();
    },
    async stop() {
      await Promise.all([events.stop(), upkeep.stop()]);
    },
  };
}
