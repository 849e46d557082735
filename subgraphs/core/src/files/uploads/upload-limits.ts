/** Limits of the uploads of users and experiments. */
import type { Clock } from '@rhizome/clock';
import type { UploadErrors } from './upload-input.js';
import type { UploadPartsRepository } from './upload-parts.repository.js';
import type { UploadsConfig } from './uploads-config.js';
import type { UploadCounts, UploadsRepository } from './uploads.repository.js';

/** Dependencies of {@link UploadLimits}. */
export interface UploadLimitsOptions {
  readonly uploads: Pick<UploadsRepository, 'counts'>;
  readonly parts: Pick<UploadPartsRepository, 'sizeBytes'>;
  readonly limits: UploadsConfig;
  readonly clock: Clock;
}

/** Files and bytes that an upload adds. */
export interface AddedUpload {
  readonly experiment: string;
  readonly owner: string;
  readonly uploads: number;
  readonly files: number;
  /** Size of the parts that no upload of the owner has. */
  readonly sizeBytes: number;
}

/** Uploads, files and bytes that are stored. */
interface Totals extends UploadCounts {
  readonly bytes: number;
}

const mib = 1024 ** 2;
/** Largest number of uploads of an owner in an experiment: each has a record of up to 100 kB. */
const mostUploads = 10_000;
/** Time for which the totals of an experiment are used, in milliseconds: they are sums over all its parts. */
const totalsMs = 60_000;

/**
 * Compares uploads with the limits. Totals of experiments may be a minute old; what owners add meanwhile may
 * exceed these limits.
 */
export class UploadLimits {
  readonly #options: UploadLimitsOptions;
  readonly #totals = new Map<string, { readonly atMs: number; readonly read: Promise<Totals> }>();

  constructor(options: UploadLimitsOptions) {
    this.#options = options;
  }

  /** Reports each limit that the upload would exceed. */
  async check(added: AddedUpload, errors: UploadErrors<'UPLOAD_LIMIT_EXCEEDED'>): Promise<void> {
    const { limits } = this.#options;
    const { experiment, owner } = added;
    const [ofOwner, ofAll] = await Promise.all([
      this.#read({ experiment, owner }),
      this.#ofExperiment(experiment),
    ]);
    const own = `your uploads for ${experiment}`;
    const all = `all uploads for ${experiment}`;
    const report = (path: string, text: string, advice: string): void => {
      errors.report('UPLOAD_LIMIT_EXCEEDED', [path], `${path}: ${text}; ${advice}`);
    };
    const checkBytes = (whose: string, bytes: number, limit: number, advice: string): void => {
      const sum = bytes + added.sizeBytes;
      if (sum <= limit * mib) return;
      const others = added.sizeBytes > 0 ? ` with the ${inMib(added.sizeBytes)} MiB that are new` : '';
      const text = `${whose} would have ${inMib(sum)} MiB${others}`;
      report('parts', `${text}; must be at most ${limit} MiB`, advice);
    };
    const checkFiles = (whose: string, files: number, limit: number, advice: string): void => {
      const sum = files + added.files;
      if (sum <= limit) return;
      report('fileCount', `${whose} would have ${sum} files; must be at most ${limit}`, advice);
    };
    const remove = 'remove uploads that you no longer need';
    const wait = 'wait until uploads expire, or ask the operators for more';
    if (ofOwner.uploads + added.uploads > mostUploads)
      report('experiment', `you have ${ofOwner.uploads} uploads; must be at most ${mostUploads}`, remove);
    checkBytes(own, ofOwner.bytes, limits.ownerMib, remove);
    checkFiles(own, ofOwner.files, limits.ownerFiles, remove);
    checkBytes(all, ofAll.bytes, limits.experimentMib, wait);
    checkFiles(all, ofAll.files, limits.experimentFiles, wait);
  }

  #ofExperiment(experiment: string): Promise<Totals> {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#totals.get(experiment);
    if (known && nowMs - known.atMs < totalsMs) return known.read;
    const read = this.#read({ experiment });
    this.#totals.set(experiment, { atMs: nowMs, read });
    read.catch(() => this.#totals.delete(experiment));
    return read;
  }

  async #read(of: { readonly experiment: string; readonly owner?: string }): Promise<Totals> {
    const { uploads, parts } = this.#options;
    const [bytes, counts] = await Promise.all([parts.sizeBytes(of), uploads.counts(of)]);
    return { bytes, ...counts };
  }
}

const inMib = (bytes: number): number => Math.ceil((bytes / mib) * 10) / 10;
