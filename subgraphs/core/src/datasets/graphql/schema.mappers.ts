/** Parent types of the resolvers of datasets. */
import type { KeysetPage } from '@rhizome/mongo';
import type { StoredOutputDataset } from '../../jobs/model/job.types.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument, StoredReplica } from '../dataset-file.document.js';

export type DatasetMapper = DatasetDocument;
export type DatasetConnectionMapper = KeysetPage<DatasetDocument>;
export type DatasetFileMapper = DatasetFileDocument;
export type DatasetFileConnectionMapper = KeysetPage<DatasetFileDocument>;
export type FileReplicaMapper = StoredReplica;
export type OutputDatasetMapper = StoredOutputDataset;
