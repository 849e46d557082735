/** Services of datasets. */
import type { DatasetFilesService } from './dataset-files.service.js';
import type { DatasetsService } from './datasets.service.js';

/** Services of datasets. */
export interface DatasetServices {
  readonly datasets: DatasetsService;
  readonly files: DatasetFilesService;
}
