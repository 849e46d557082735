/** Input of an import. */
import type { ReadFile } from './files.types.js';

/** Formats that are imported. */
export const formats = ['cwl', 'bps', 'idds'] as const;

/** Format of a file. */
export type ImportFormat = (typeof formats)[number];

/** A file to import. */
export interface ImportRequest {
  /** Path of the file, as it is shown in messages. */
  readonly file: string;
  /** Process of a CWL file with several. */
  readonly id?: string | undefined;
  /** Path of a file with inputs (CWL), or with requests by label (BPS). */
  readonly inputs?: string | undefined;
  /** Experiment that will own the workflow. */
  readonly experiment: string;
  /** Name of the workflow; by default that of the file or of the workflow in it. */
  readonly name?: string | undefined;
  readonly share?: string | undefined;
  /** Absolute paths of folders that payloads can read on all workers (CWL). */
  readonly readableFolders?: readonly string[] | undefined;
  /** Absolute path of a folder that payloads can write on all workers, to pass files between jobs (CWL). */
  readonly sharedFolder?: string | undefined;
  /** Folder to which paths of files are relative. */
  readonly cwd: string;
  readonly read: ReadFile;
}
