/** Assembles datasets: their services, the registration of outputs, and the upkeep on the leader. */
import type { DatasetFilesRepository } from '../../datasets/dataset-files.repository.js';
import { DatasetFilesService } from '../../datasets/dataset-files.service.js';
import type { DatasetServices } from '../../datasets/dataset-services.types.js';
import { isBeingDeleted } from '../../datasets/replicas.js';
import { DatasetUpkeep } from '../../datasets/dataset-upkeep.js';
import { type DatasetsOptions, DatasetsService } from '../../datasets/datasets.service.js';
import { OutputRegistration } from '../../datasets/output-registration.js';
import { EventWork, type EventWorkOptions } from '../../jobs/transitions/event-work.js';
import type { ExperimentFacts } from '../../jobs/ports.js';
import { TaskFiles } from '../../tasks/files/task-files.js';
import { deletionModule, type DeletionModuleOptions } from './deletion.module.js';

/** Dependencies of {@link datasetsModule}. */
export interface DatasetsModuleOptions extends Omit<DeletionModuleOptions, 'readingTask'> {
  readonly taskOf: DatasetsOptions['taskOf'];
  readonly submitterOf: DatasetsOptions['submitterOf'];
  /** Events of jobs. */
  readonly stream: EventWorkOptions['stream'];
  readonly consumers: EventWorkOptions['consumers'];
}

/** Datasets with their background work. */
export interface DatasetsModule extends DatasetServices {
  /** Datasets as submits need them. */
  readonly facts: NonNullable<ExperimentFacts['datasets']>;
  readonly deletedPlaces: NonNullable<ExperimentFacts['deletedPlaces']>;
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
  const { datasets: repository, files: entries, jobs, deletions } = stores;
  const readingTask = (datasetId: string): Promise<string | undefined> => taskOf(datasetId, 'READS');
  const deletion = deletionModule({ ...options, readingTask });
  const outputs = new OutputRegistration({ files: entries, jobs, clock, log });
  const upkeep = new DatasetUpkeep({
    ...{ datasets: repository, files: entries, readingTask, leader, log },
  });
  // With a position of its own: many outputs delay neither tasks nor workflows.
  const events = new EventWork({
    ...{ stream, consumers, leader, clock, log },
    ...{ consumer: 'datasets', handlers: [outputs] },
  });
  return {
    datasets: new DatasetsService({
      ...{ datasets: repository, jobs, outputs, experimentExists, taskOf, submitterOf, clock, ids },
      isDeletingFiles: async (datasetId) =>
        (await deletions.beingDeleted({ datasetId, after: -1, limit: 1 })).length > 0,
    }),
    files: new DatasetFilesService({ datasets: repository, files: entries, storages, onReplicas, clock }),
    policies: deletion.policies,
    deletions: deletion.deletions,
    taskFiles: new TaskFiles({ datasets: repository, files: entries, storages, clock }),
    facts: (datasetIds) => repository.findMany(datasetIds),
    deletedPlaces: (locations) => placesBeingDeleted(entries, locations),
    start() {
      events.start();
      upkeep.start();
      deletion.start();
    },
    async stop() {
      await Promise.all([events.stop(), upkeep.stop(), deletion.stop()]);
    },
  };
}

async function placesBeingDeleted(
  files: Pick<DatasetFilesRepository, 'at'>,
  locations: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = await files.at(locations);
  const copies = found.flatMap(({ replicas }) => replicas.filter(isBeingDeleted));
  return new Set(copies.map(({ location }) => location));
}
