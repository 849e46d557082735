/** Addresses of stored outputs, for those who may read their job. */
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { JobDocument } from '../jobs/model/job.types.js';
import { serves } from '../storages/places.js';
import type { StoragesService } from '../storages/storages.service.js';
import type { FileSigner } from './file-signer.js';
import { keptOutputsOf } from './kept-outputs.js';
import { type JobWithOutputs, placeOfOutput, type PlannedFile } from './signing-plan.js';

/** Dependencies of {@link OutputFiles}. */
export interface OutputFilesOptions {
  readonly storages: Pick<StoragesService, 'all'>;
  readonly signer: FileSigner;
  readonly clock: Clock;
}

/** An output with an address; null if it cannot be signed. */
export interface OutputFile {
  readonly name: string;
  readonly location: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly url: string | null;
  readonly expiresAt: Date | null;
}

/** Most files that one operation signs. */
const mostFiles = 1000;

/** Signs outputs. */
export class OutputFiles {
  readonly #options: OutputFilesOptions;

  constructor(options: OutputFilesOptions) {
    this.#options = options;
  }

  /** The job with the outputs that a failed attempt of it keeps, in place of its own. */
  keptBy(job: JobDocument, attempt: number): JobWithOutputs {
    const { _id, experiment, owner } = job;
    return { _id, experiment, owner, outputs: keptOutputsOf(job, this.#options.clock.now(), attempt) };
  }

  /**
   * Outputs of jobs, or kept outputs of failed attempts, one entry per job, in order.
   * @throws DomainError LIMIT_EXCEEDED if they are too many for one operation
   */
  async of(jobs: readonly JobWithOutputs[]): Promise<readonly (readonly OutputFile[])[]> {
    const count = jobs.reduce((sum, { outputs }) => sum + outputs.length, 0);
    if (count > mostFiles)
      throw new DomainError(
        'LIMIT_EXCEEDED',
        `outputFiles: ${count} files are too many; at most ${mostFiles} in one operation`,
        { field: 'outputFiles', value: count, expected: `at most ${mostFiles}` },
      );
    const all = this.#options.storages.all();
    const plans = jobs.map((job) => {
      const own = all.filter((storage) => serves(storage, job.experiment));
      return job.outputs.map(({ name, ...output }): PlannedFile | undefined => {
        const place = placeOfOutput(job, { name, ...output }, own);
        return 'expected' in place ? undefined : { ...place, name, jobId: null, method: 'GET' };
      });
    });
    const signed = await this.#options.signer.sign(plans.flat().filter((plan) => plan !== undefined));
    const rest = signed.values();
    return jobs.map(({ outputs }, at) =>
      outputs.map(({ name, location, sizeBytes, sha256 }, position) => {
        const file = plans[at]?.[position] && rest.next().value;
        const { url, expiresAt } = file && 'url' in file ? file : { url: null, expiresAt: null };
        return { name, location, sizeBytes, sha256, url, expiresAt };
      }),
    );
  }
}
