/** Signs addresses of the files of an attempt for the worker that holds it. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { InputError } from '@rhizome/errors';
import { isHeld } from '../jobs/model/job-state.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { JobsRepository } from '../jobs/model/jobs.repository.js';
import { jobPrefix } from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';
import type { StoragesService } from '../storages/storages.service.js';
import type { JobHolder } from '../workers/reports/job-holder.js';
import { mayActFor } from '../workers/worker-access.js';
import type { AccessCode } from '../workers/worker-errors.js';
import type { FileSigner, SignedFile } from './file-signer.js';
import type { SiteOf } from './input-sources.js';
import type { JobFilesRepository } from './job-files.repository.js';
import type { NodeReads } from './node-reads.js';
import {
  checkRequests,
  type FileCode,
  type FileRequests,
  type JobOfFiles,
  type JobWithOutputs,
  planFiles,
  type PlannedFile,
  type ReadRequest,
  type WriteRequest,
} from './signing-plan.js';
import type { UploadDocument } from './uploads/upload.document.js';
import type { UploadUses } from './uploads/upload-uses.js';

/** Dependencies of {@link FileSigning}. */
export interface FileSigningOptions {
  readonly holder: Pick<JobHolder, 'attemptOf'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly nodeReads: Pick<NodeReads, 'of'>;
  readonly storages: Pick<StoragesService, 'all' | 'allFresh'>;
  readonly files: Pick<JobFilesRepository, 'open'>;
  readonly uploads: Pick<UploadUses, 'forJob'>;
  readonly signer: FileSigner;
  /** Site of a queue in memory. */
  readonly siteOf: SiteOf;
  /** Time after which the files of a job are looked at. */
  readonly lookAfterSeconds: number;
  readonly clock: Clock;
}

/** Files that the holder of an attempt asks for. */
export interface SignJobFiles {
  readonly workerId: string;
  readonly jobId: string;
  readonly fence: number;
  readonly reads?: readonly ReadRequest[] | null | undefined;
  readonly writes?: readonly WriteRequest[] | null | undefined;
}

type Code = AccessCode | FileCode | 'JOB_NOT_FOUND' | 'FENCE_STALE' | 'STORAGE_UNAVAILABLE';

/** Signed files, or the errors because of which none was signed. */
export interface SigningResult {
  readonly files: readonly SignedFile[];
  readonly userErrors: readonly InputError<Code>[];
}

const jobFields = {
  ...({
    experiment: 1,
    owner: 1,
    queue: 1,
    share: 1,
    state: 1,
    workerId: 1,
    fence: 1,
    dependsOn: 1,
  } as const),
  'payload.inputs': 1,
  'payload.uploadId': 1,
  'payload.outputs': 1,
  'payload.nodeInputs': 1,
} as const;
const parentFields = { experiment: 1, owner: 1, outputs: 1, workflow: 1 } as const;

/** Signs files of attempts. A repeated call signs them again. */
export class FileSigning {
  readonly #options: FileSigningOptions;

  constructor(options: FileSigningOptions) {
    this.#options = options;
  }

  async sign(principal: Principal, spec: SignJobFiles): Promise<SigningResult> {
    const requests = { reads: spec.reads ?? [], writes: spec.writes ?? [] };
    const invalid = checkRequests(requests);
    if (invalid.length > 0) return refused(invalid);
    const held = await this.#options.holder.attemptOf(principal, spec, 'job:report');
    if ('code' in held) return refused([held]);
    const [job] = await this.#options.jobs.find([spec.jobId], jobFields);
    const isHolder = job && job.workerId === spec.workerId && job.fence === spec.fence && isHeld(job.state);
    if (!isHolder || !mayActFor(principal, 'job:report', job.share)) return refused([ended(spec)]);
    const [parents, upload] = await Promise.all([this.#parents(job, requests), this.#upload(job, requests)]);
    const { siteOf } = this.#options;
    const planned = await this.#plan((storages) =>
      planFiles(job, { parents, upload }, { storages, siteOf }, requests),
    );
    if ('problems' in planned) return refused(planned.problems);
    await this.#record(job, planned);
    return resultOf(await this.#options.signer.sign(planned), requests);
  }

  /** Another process may just have created a storage, so the store is read before a refusal. */
  async #plan<T extends object>(plan: (storages: readonly StorageDocument[]) => T): Promise<T> {
    const { storages } = this.#options;
    const planned = plan(storages.all());
    return 'problems' in planned ? plan(await storages.allFresh()) : planned;
  }

  /** The upload of the job, if the requests name it; counts as a use of it. */
  async #upload(
    { owner, experiment, payload }: JobOfFiles,
    { reads }: FileRequests,
  ): Promise<UploadDocument | undefined> {
    const { uploadId } = payload;
    if (uploadId === undefined || !reads.some((read) => read.uploadId === uploadId)) return undefined;
    return this.#options.uploads.forJob({ owner, experiment }, uploadId);
  }

  /** Jobs whose outputs the job may read: its parents, and nodes of the workflow that its node reads from. */
  async #parents(
    { dependsOn, payload: { nodeInputs } }: Pick<JobDocument, 'dependsOn' | 'payload'>,
    { reads }: FileRequests,
  ): Promise<ReadonlyMap<string, JobWithOutputs>> {
    const parents = new Set(dependsOn);
    const outputs = new Set(nodeInputs?.files.map(({ output }) => output));
    const asked = new Map<string, Set<string>>();
    for (const { jobId, name } of reads)
      if (jobId != null && (parents.has(jobId) || outputs.has(name)))
        asked.set(jobId, (asked.get(jobId) ?? new Set()).add(name));
    const found = asked.size > 0 ? await this.#options.jobs.find([...asked.keys()], parentFields) : [];
    const others = found.filter(({ _id }) => !parents.has(_id));
    const isRead = await this.#options.nodeReads.of(nodeInputs, { jobs: others, outputs: asked });
    const readable = found.filter(({ _id }) => parents.has(_id) || isRead.has(_id));
    return new Map(
      readable.map((parent) => {
        const names = isRead.get(parent._id);
        const outputs = parents.has(parent._id)
          ? parent.outputs
          : parent.outputs.filter(({ name }) => names?.has(name));
        return [parent._id, { ...parent, outputs }];
      }),
    );
  }

  /** Before the first address is given, so that no file is forgotten, whatever happens next. */
  async #record(
    job: { readonly _id: string; readonly experiment: string; readonly owner: string },
    planned: readonly PlannedFile[],
  ): Promise<void> {
    const { files, clock, lookAfterSeconds } = this.#options;
    const written = planned.find((file) => file.method === 'PUT' && 'storage' in file);
    if (!written || !('storage' in written)) return;
    const now = clock.now();
    const dueAt = new Date(now.getTime() + lookAfterSeconds * 1000);
    const record = { jobId: job._id, storage: written.storage._id, prefix: jobPrefix(job, job._id) };
    await files.open(record, now, dueAt);
  }
}

function resultOf(signed: Awaited<ReturnType<FileSigner['sign']>>, { reads }: FileRequests): SigningResult {
  const userErrors = signed.flatMap((file, at): readonly InputError<Code>[] => {
    if (!('reason' in file)) return [];
    const path = at < reads.length ? ['reads', String(at)] : ['writes', String(at - reads.length)];
    const message = `${path.join('.')}: the storage cannot be used: ${file.reason}`;
    return [{ code: 'STORAGE_UNAVAILABLE', path, message }];
  });
  if (userErrors.length > 0) return refused(userErrors.slice(0, 100));
  return { files: signed.filter((file): file is SignedFile => 'url' in file), userErrors: [] };
}

const refused = (userErrors: readonly InputError<Code>[]): SigningResult => ({ files: [], userErrors });

function ended({ jobId }: SignJobFiles): InputError<Code> {
  const message = `Job ${JSON.stringify(jobId)} is no longer held by this worker.`;
  return { code: 'FENCE_STALE', path: ['fence'], message };
}
