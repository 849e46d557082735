/** Stores of datasets on one database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { DatasetFilesRepository } from '../../datasets/dataset-files.repository.js';
import { DatasetJobs } from '../../datasets/dataset-jobs.repository.js';
import { DatasetsRepository } from '../../datasets/datasets.repository.js';
import { DeletionJobs } from '../../datasets/deletion/deletion-jobs.repository.js';
import { DeletionsRepository } from '../../datasets/deletion/deletions.repository.js';
import { FilePoliciesRepository } from '../../datasets/deletion/file-policies.repository.js';
import { jobsCollection } from '../../jobs/model/job.document.js';

/** Repositories of datasets. */
export interface DatasetStores {
  readonly datasets: DatasetsRepository;
  readonly files: DatasetFilesRepository;
  readonly jobs: DatasetJobs;
  readonly deletions: DeletionsRepository;
  readonly deletionJobs: DeletionJobs;
  readonly policies: FilePoliciesRepository;
}

/** Creates the repositories. */
export function datasetStores(db: Db): DatasetStores {
  return {
    datasets: new DatasetsRepository(db),
    files: new DatasetFilesRepository(db),
    jobs: new DatasetJobs(collection(db, jobsCollection)),
    deletions: new DeletionsRepository(db),
    deletionJobs: new DeletionJobs(collection(db, jobsCollection)),
    policies: new FilePoliciesRepository(db),
  };
}
