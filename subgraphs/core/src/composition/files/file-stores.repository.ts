/** Stores of files of jobs on one database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { jobFilesCollection } from '../../files/job-files.document.js';
import { JobFilesRepository } from '../../files/job-files.repository.js';
import { StorageNeeds } from '../../files/storage-needs.repository.js';
import { jobsCollection } from '../../jobs/model/job.document.js';

/** Repositories of files of jobs. */
export interface FileStores {
  readonly files: JobFilesRepository;
  readonly needs: StorageNeeds;
}

/** Creates the repositories. */
export function fileStores(db: Db): FileStores {
  const files = new JobFilesRepository(collection(db, jobFilesCollection));
  return { files, needs: new StorageNeeds(collection(db, jobsCollection), files) };
}
