/** Services of datasets. */
import type { DatasetFilesService } from './dataset-files.service.js';
import type { DatasetsService } from './datasets.service.js';
import type { FileDeletionsService } from './deletion/file-deletions.service.js';
import type { FilePoliciesService } from './deletion/file-policies.service.js';

/** Services of datasets. */
export interface DatasetServices {
  readonly datasets: DatasetsService;
  readonly files: DatasetFilesService;
  readonly policies: FilePoliciesService;
  readonly deletions: FileDeletionsService;
}
