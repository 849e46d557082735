/** Objects behind the types of this folder. */
import type { SignedFile } from '../file-signer.js';
import type { KeysetPage } from '@rhizome/mongo';
import type { OutputFile } from '../output-files.js';
import type { UploadDocument } from '../uploads/upload.document.js';

export type SignedFileMapper = SignedFile;
export type OutputFileMapper = OutputFile;
export type UploadMapper = UploadDocument;
export type UploadConnectionMapper = KeysetPage<UploadDocument>;
