/** Parent types of the resolvers of datasets. */
import type { KeysetPage } from '@rhizome/mongo';
import type { StoredOutputDataset } from '../../jobs/model/job.types.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument, StoredDeletion, StoredReplica } from '../dataset-file.document.js';
import type { DeletionTotals, KeptFile } from '../deletion/deletion-marker.js';
import type { DatasetShare, DeletionPreview } from '../deletion/file-policies.service.js';
import type {
  FilePolicyDocument,
  FilePolicyRules,
  FilePolicyRun,
  FilePolicyVersion,
} from '../deletion/file-policy.document.js';

export type DatasetMapper = DatasetDocument;
export type DatasetConnectionMapper = KeysetPage<DatasetDocument>;
export type DatasetFileMapper = DatasetFileDocument;
export type DatasetFileConnectionMapper = KeysetPage<DatasetFileDocument>;
export type FileReplicaMapper = StoredReplica;
export type OutputDatasetMapper = StoredOutputDataset;
export type FilePolicyMapper = FilePolicyDocument;
export type FilePolicyConnectionMapper = KeysetPage<FilePolicyDocument>;
export type FilePolicyRulesMapper = FilePolicyRules;
export type FilePolicyVersionMapper = FilePolicyVersion;
export type FilePolicyRunMapper = FilePolicyRun;
export type FileDeletionPreviewMapper = DeletionPreview;
export type DeletedShareMapper = DatasetShare;
export type SelectedFileMapper = DeletionTotals['sample'][number];
export type KeptFileMapper = KeptFile;
export type DatasetFileDeletionMapper = DeletionTotals & { readonly nextPosition?: number | undefined };
export type ReplicaDeletionMapper = StoredDeletion & { readonly hasBegun: boolean };
