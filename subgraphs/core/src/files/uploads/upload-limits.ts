/** Limits of the uploads of users and experiments. */
import type { UploadErrors } from './upload-input.js';
import type { UploadPartsRepository } from './upload-parts.repository.js';
import type { UploadsConfig } from './uploads-config.js';
import type { UploadsRepository } from './uploads.repository.js';

/** Dependencies of {@link UploadLimits}. */
export interface UploadLimitsOptions {
  readonly uploads: Pick<UploadsRepository, 'fileCount'>;
  readonly parts: Pick<UploadPartsRepository, 'sizeBytes'>;
  readonly limits: UploadsConfig;
}

/** Files and bytes that an upload adds. */
export interface AddedUpload {
  readonly experiment: string;
  readonly owner: string;
  readonly fileCount: number;
  /** Size of the parts that no upload of the owner has. */
  readonly sizeBytes: number;
}

const mib = 1024 ** 2;

/** Compares uploads with the limits. Calls at the same time may exceed them by what each of them adds. */
export class UploadLimits {
  readonly #options: UploadLimitsOptions;

  constructor(options: UploadLimitsOptions) {
    this.#options = options;
  }

  /** Reports each limit that the upload would exceed. */
  async check(added: AddedUpload, errors: UploadErrors<'UPLOAD_LIMIT_EXCEEDED'>): Promise<void> {
    const { uploads, parts, limits } = this.#options;
    const { experiment, owner } = added;
    const [ownBytes, allBytes, ownFiles, allFiles] = await Promise.all([
      parts.sizeBytes({ experiment, owner }),
      parts.sizeBytes({ experiment }),
      uploads.fileCount({ experiment, owner }),
      uploads.fileCount({ experiment }),
    ]);
    const own = `your uploads for ${experiment}`;
    const all = `all uploads for ${experiment}`;
    const report = (path: string, text: string, advice: string): void => {
      errors.report('UPLOAD_LIMIT_EXCEEDED', [path], `${path}: ${text}; ${advice}`);
    };
    const checkBytes = (whose: string, bytes: number, limit: number, advice: string): void => {
      const sum = bytes + added.sizeBytes;
      if (sum <= limit * mib) return;
      const text = `${whose} would have ${inMib(sum)} MiB with the ${inMib(added.sizeBytes)} MiB that are new`;
      report('parts', `${text}; must be at most ${limit} MiB`, advice);
    };
    const checkFiles = (whose: string, files: number, limit: number, advice: string): void => {
      const sum = files + added.fileCount;
      if (sum <= limit) return;
      report('fileCount', `${whose} would have ${sum} files; must be at most ${limit}`, advice);
    };
    const remove = 'remove uploads that you no longer need';
    const wait = 'wait until uploads expire, or ask the operators for more';
    checkBytes(own, ownBytes, limits.ownerMib, remove);
    checkFiles(own, ownFiles, limits.ownerFiles, remove);
    checkBytes(all, allBytes, limits.experimentMib, wait);
    checkFiles(all, allFiles, limits.experimentFiles, wait);
  }
}

const inMib = (bytes: number): number => Math.ceil((bytes / mib) * 10) / 10;
