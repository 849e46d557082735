/** Stores of files of jobs on one database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { jobFilesCollection } from '../../files/job-files.document.js';
import { JobFilesRepository } from '../../files/job-files.repository.js';
import { StorageNeeds } from '../../files/storage-needs.repository.js';
import { uploadPartsCollection, uploadsCollection } from '../../files/uploads/upload.document.js';
import { UploadPartsRepository } from '../../files/uploads/upload-parts.repository.js';
import { UploadUsers } from '../../files/uploads/upload-users.repository.js';
import { UploadsRepository } from '../../files/uploads/uploads.repository.js';
import { jobsCollection } from '../../jobs/model/job.document.js';

/** Repositories of files of jobs. */
export interface FileStores {
  readonly files: JobFilesRepository;
  readonly needs: StorageNeeds;
  readonly uploads: UploadsRepository;
  readonly uploadParts: UploadPartsRepository;
  readonly uploadUsers: UploadUsers;
}

/** Creates the repositories. */
export function fileStores(db: Db): FileStores {
  const files = new JobFilesRepository(collection(db, jobFilesCollection));
  const uploads = new UploadsRepository(collection(db, uploadsCollection));
  const jobs = collection(db, jobsCollection);
  return {
    files,
    needs: new StorageNeeds(jobs, files, uploads),
    uploads,
    uploadParts: new UploadPartsRepository(collection(db, uploadPartsCollection)),
    uploadUsers: new UploadUsers(jobs),
  };
}
