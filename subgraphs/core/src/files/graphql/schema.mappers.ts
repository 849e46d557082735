/** Objects behind the types of this folder. */
import type { SignedFile } from '../file-signer.js';
import type { OutputFile } from '../output-files.js';

export type SignedFileMapper = SignedFile;
export type OutputFileMapper = OutputFile;
