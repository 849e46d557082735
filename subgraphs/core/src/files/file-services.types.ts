/** Services of files for resolvers. Types only. */
import type { FileSigning } from './file-signing.service.js';
import type { OutputFiles } from './output-files.js';
import type { UploadsService } from './uploads/uploads.service.js';

/** Services of files. */
export interface FileServices {
  readonly signing: FileSigning;
  readonly outputs: OutputFiles;
  readonly uploads: UploadsService;
}
