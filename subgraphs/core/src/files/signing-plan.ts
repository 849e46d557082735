/** Pure rules for the files of an attempt: which may be read and written, and where they are. */
import { type InputError, InputErrors } from '@rhizome/errors';
import { assertKey, isDeclaredBy } from '@rhizome/storage';
import type { JobDocument, StoredInput, StoredOutput } from '../jobs/model/job.types.js';
import {
  isInStorage,
  jobPrefix,
  locationsOf,
  outputKey,
  type Place,
  placeOf,
  problemOf,
  serves,
  storageForOutputs,
} from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';
import { largestFileMiB } from './largest-file.js';
import { type PlannedPart, planPart } from './uploads/part-plan.js';
import type { UploadDocument } from './uploads/upload.document.js';
import { type DistanceOf, distancesFrom, type InputSource, type SiteOf, sourcesOf } from './input-sources.js';

/** File that a worker asks to read. */
export interface ReadRequest {
  readonly name: string;
  /** Parent that made it; absent or null for a declared input. */
  readonly jobId?: string | null | undefined;
  /** Upload of the job of which a part is read; absent or null for other files. */
  readonly uploadId?: string | null | undefined;
  /** Number of places of a declared input that have failed. */
  readonly source?: number | null | undefined;
}

/** Output that a worker asks to write. */
export interface WriteRequest {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Files that a worker asks for. */
export interface FileRequests {
  readonly reads: readonly ReadRequest[];
  readonly writes: readonly WriteRequest[];
}

/** Parts of a held job that decide about its files. */
export type JobOfFiles = Pick<
  JobDocument,
  '_id' | 'experiment' | 'owner' | 'queue' | 'fence' | 'dependsOn'
> & {
  readonly payload: Pick<JobDocument['payload'], 'inputs' | 'outputs' | 'uploadId'>;
};

/** A job with its stored outputs. */
export type JobWithOutputs = Pick<JobDocument, '_id' | 'experiment' | 'owner' | 'outputs'>;

/** A file to sign: in a storage, or at a URL that needs no signature. */
export type PlannedFile = InputSource & PlannedContent;

/** A planned file apart from its place. */
export interface PlannedContent {
  readonly name: string;
  readonly jobId: string | null;
  readonly method: 'GET' | 'PUT';
  readonly sizeBytes?: number;
  readonly sha256?: string;
}

/** Storages, and sites of queues. */
export interface SigningFacts {
  readonly storages: readonly StorageDocument[];
  readonly siteOf: SiteOf;
}

/** Codes of the files of an attempt in addition to `INVALID_VALUE`. */
export type FileCode = 'FILE_NOT_FOUND' | 'FILE_FORBIDDEN' | 'FILE_TOO_LARGE' | 'STORAGE_NOT_FOUND';

const mostReads = 1000;
const mostWrites = 100;
const mostErrors = 100;

/** Checks the form of requests. */
export function checkRequests({ reads, writes }: FileRequests): readonly InputError[] {
  const errors = new InputErrors();
  errors.list(['reads'], reads, mostReads);
  reads.slice(0, mostReads).forEach(({ source }, at) => errors.int(['reads', at, 'source'], source, 0, 9));
  errors.distinct(
    ['writes'],
    writes.map(({ name }) => name),
    mostWrites,
  );
  writes.slice(0, mostWrites).forEach(({ sizeBytes, sha256 }, at) => {
    errors.int(['writes', at, 'sizeBytes'], sizeBytes, 0, Number.MAX_SAFE_INTEGER);
    errors.form(['writes', at, 'sha256'], sha256, /^[0-9a-f]{64}$/, '64 hexadecimal digits, lower case');
  });
  return errors.all.slice(0, mostErrors);
}

/** Stored facts that the requests name. */
export interface NamedFacts {
  /** Parents of the job, by id. */
  readonly parents: ReadonlyMap<string, JobWithOutputs>;
  /** Upload of the job, if it exists. */
  readonly upload: UploadDocument | undefined;
}

/**
 * Finds the places of the files.
 * @returns the files in the order of the requests, or the errors because of which none may be signed
 */
export function planFiles(
  job: JobOfFiles,
  { parents, upload }: NamedFacts,
  { storages, siteOf }: SigningFacts,
  { reads, writes }: FileRequests,
): readonly PlannedFile[] | { readonly problems: readonly InputError<FileCode>[] } {
  const errors = new InputErrors<FileCode>();
  const own = storages.filter((storage) => serves(storage, job.experiment));
  const distanceOf = distancesFrom(job.queue, siteOf);
  const files = [
    ...reads.map((read, at) => {
      const { name, jobId, uploadId } = read;
      if (uploadId != null) return plannedPart(planPart(job, { name, uploadId }, upload, own), at, errors);
      if (jobId == null) return plannedInput(job, { storages: own, distanceOf }, read, at, errors);
      return plannedOutputOf(parentOf(job, parents.get(jobId)), own, { name, jobId }, at, errors);
    }),
    ...plannedWrites(job, own, writes, errors),
  ];
  const planned = files.filter((file) => file !== undefined);
  return errors.isEmpty ? planned : { problems: errors.all.slice(0, mostErrors) };
}

function plannedInput(
  { payload: { inputs }, ...job }: JobOfFiles,
  { storages, distanceOf }: Pick<SigningFacts, 'storages'> & { readonly distanceOf: DistanceOf },
  { name, source: given }: ReadRequest,
  at: number,
  errors: InputErrors<FileCode>,
): PlannedFile | undefined {
  const path = ['reads', at, 'name'];
  const input = inputs.find((one) => one.name === name);
  if (!input) {
    errors.report(
      'FILE_NOT_FOUND',
      path,
      `${path.join('.')}: the job declares no input ${JSON.stringify(name)}`,
    );
    return undefined;
  }
  if (locationsOf(input).length === 1 && !isInStorage(input.location)) {
    const text = `${path.join('.')}: input ${JSON.stringify(name)} is not in a storage; fetch it from its location`;
    errors.report('INVALID_VALUE', path, text);
    return undefined;
  }
  const { sources, unreadable } = sourcesOf(job, input, storages, distanceOf);
  const failed = given ?? 0;
  const source = sources[failed];
  const [first] = unreadable;
  if (source) return { ...source, name, jobId: null, method: 'GET', ...contentOf(input) };
  if (sources.length === 0 && first) errors.add(path, first.location, first.expected, first.code);
  else
    errors.report(
      'FILE_NOT_FOUND',
      path,
      `${path.join('.')}: input ${JSON.stringify(name)} has ${sources.length} places that the job may read, and ${failed} have failed`,
    );
  return undefined;
}

/** Declared content of an input. */
function contentOf({ sizeBytes, checksums = [] }: StoredInput): Pick<PlannedContent, 'sizeBytes' | 'sha256'> {
  const sha256 = checksums.find(({ kind }) => kind === 'SHA256')?.value;
  return { ...(sizeBytes === undefined ? {} : { sizeBytes }), ...(sha256 === undefined ? {} : { sha256 }) };
}

function plannedPart(part: PlannedPart, at: number, errors: InputErrors<FileCode>): PlannedFile | undefined {
  if (!('code' in part)) return { ...part, jobId: null, method: 'GET' };
  const path = ['reads', at, part.field];
  errors.report(part.code, path, `${path.join('.')}: ${part.message}`);
  return undefined;
}

/** Parents are of the experiment of their children. */
function parentOf(
  { experiment }: Pick<JobOfFiles, 'experiment'>,
  parent: JobWithOutputs | undefined,
): JobWithOutputs | undefined {
  return parent?.experiment === experiment ? parent : undefined;
}

function plannedOutputOf(
  parent: JobWithOutputs | undefined,
  storages: readonly StorageDocument[],
  { name, jobId }: { readonly name: string; readonly jobId: string },
  at: number,
  errors: InputErrors<FileCode>,
): PlannedFile | undefined {
  const output = parent?.outputs.find((one) => one.name === name);
  if (!parent || !output) {
    const path = parent ? ['reads', at, 'name'] : ['reads', at, 'jobId'];
    const text = parent
      ? `job ${jobId} has stored no output ${JSON.stringify(name)}`
      : `${JSON.stringify(jobId)} is no parent of the job`;
    errors.report('FILE_NOT_FOUND', path, `${path.join('.')}: ${text}`);
    return undefined;
  }
  const place = placeOfOutput(parent, output, storages);
  if ('expected' in place) {
    errors.add(['reads', at, 'name'], output.location, place.expected, place.code);
    return undefined;
  }
  const { sizeBytes, sha256 } = output;
  return { ...place, name, jobId, method: 'GET', sizeBytes, sha256 };
}

/**
 * The place of a stored output. The worker reported it, so it counts only below the key of the job itself.
 * @param storages those that the experiment uses
 */
export function placeOfOutput(
  job: JobWithOutputs,
  { location }: StoredOutput,
  storages: readonly StorageDocument[],
): Place<StorageDocument> | { readonly expected: string; readonly code: FileCode | 'INVALID_VALUE' } {
  if (!isInStorage(location))
    return { expected: 'in a storage; it is a key of the store of a worker', code: 'INVALID_VALUE' };
  const place = placeOf(location, storages);
  if ('expected' in place) return { ...place, code: 'STORAGE_NOT_FOUND' };
  if (place.key.startsWith(jobPrefix(job, job._id))) return place;
  return {
    expected: `below ${jobPrefix(job, job._id)}, the files of job ${job._id}`,
    code: 'FILE_FORBIDDEN',
  };
}

function plannedWrites(
  job: JobOfFiles,
  storages: readonly StorageDocument[],
  writes: readonly WriteRequest[],
  errors: InputErrors<FileCode>,
): readonly PlannedFile[] {
  if (writes.length === 0) return [];
  const storage = storageForOutputs(storages, job.experiment, job.queue);
  if (!storage) {
    const text = `writes: no storage takes outputs of ${job.experiment} in queue ${job.queue ?? ''}; make one the default`;
    errors.report('STORAGE_NOT_FOUND', ['writes'], text);
    return [];
  }
  const attempt = { jobId: job._id, fence: job.fence };
  return writes.flatMap(({ name, sizeBytes, sha256 }, at) => {
    const path = ['writes', at];
    const largestMiB = largestFileMiB(storage);
    const key = outputKey(job, attempt, name);
    const problem = problemOf(() => assertKey(key));
    if (!job.payload.outputs.some((entry) => isDeclaredBy(name, entry)))
      errors.report(
        'FILE_NOT_FOUND',
        [...path, 'name'],
        `${path.join('.')}.name: the job declares no output ${JSON.stringify(name)}`,
      );
    else if (problem !== undefined) errors.add([...path, 'name'], name, `part of a valid key: ${problem}`);
    else if (sizeBytes > largestMiB * 1024 ** 2)
      errors.add(
        [...path, 'sizeBytes'],
        sizeBytes,
        `at most ${largestMiB} MiB, the limit of storage ${storage._id}`,
        'FILE_TOO_LARGE',
      );
    else {
      return [{ storage, key, name, jobId: null, method: 'PUT' as const, sizeBytes, sha256 }];
    }
    return [];
  });
}
