/** Limits and lifetimes of uploads. */
export interface UploadsConfig {
  /** Largest size of the uploads of a user in an experiment, in MiB. Parts that uploads share count once. */
  readonly ownerMib: number;
  /** Largest size of all uploads of an experiment, in MiB. */
  readonly experimentMib: number;
  /** Largest number of files in the uploads of a user in an experiment. */
  readonly ownerFiles: number;
  /** Largest number of files in all uploads of an experiment. */
  readonly experimentFiles: number;
  /** Time after its latest use for which an upload is kept, in days. */
  readonly keepDays: number;
}

/** Defaults of {@link UploadsConfig}. */
export const defaultUploads: UploadsConfig = {
  ownerMib: 20 * 1024,
  experimentMib: 2 * 1024 * 1024,
  ownerFiles: 1_000_000,
  experimentFiles: 100_000_000,
  keepDays: 30,
};
