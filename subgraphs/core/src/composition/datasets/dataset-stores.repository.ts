/** Stores of datasets on one database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { DatasetFilesRepository } from '../../datasets/dataset-files.repository.js';
import { DatasetJobs } from '../../datasets/dataset-jobs.repository.js';
import { DatasetsRepository } from '../../datasets/datasets.repository.js';
import { jobsCollection } from '../../jobs/model/job.document.js';

/** Repositories of datasets. */
export interface DatasetStores {
  readonly datasets: DatasetsRepository;
  readonly files: DatasetFilesRepository;
  readonly jobs: DatasetJobs;
}

/** Creates the repositories. */
export function datasetStores(db: Db): DatasetStores {
  return {
    datasets: new DatasetsRepository(db),
    files: new DatasetFilesRepository(db),
    jobs: new DatasetJobs(collection(db, jobsCollection)),
  };
}
