import { defaultUploads, type UploadsConfig } from './uploads/uploads-config.js';

/** Configuration of files of jobs. */
export interface FilesConfig {
  /** Folder of the credentials of storages; undefined without any. */
  readonly credentialFolder?: string | undefined;
  /** Time for which addresses are valid. */
  readonly addressSeconds: number;
  /** Time after the end of a job after which files of its superseded attempts are removed. */
  readonly removeAfterSeconds: number;
  /** Interval at which the leader looks for them, in milliseconds. */
  readonly everyMs: number;
  /** Limits and lifetimes of uploads. */
  readonly uploads: Partial<UploadsConfig>;
}

/** Defaults of {@link FilesConfig}. */
export const defaultFiles: FilesConfig = {
  ...{ addressSeconds: 900, removeAfterSeconds: 86_400, everyMs: 60_000 },
  uploads: defaultUploads,
};
