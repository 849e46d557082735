/** Pure checks of inputs about datasets and their files. */
import type { InputErrors } from '@rhizome/errors';
import { assertKey, signatureParameters } from '@rhizome/storage';
import {
  isInStorage,
  type PlaceOwner,
  placeOf,
  problemOf,
  problemOfInput,
  type StorageFacts,
} from '../storages/places.js';
import type { StoredLabel } from '../shared/label.types.js';
import { type DatasetFileDocument, mostReplicas, type ReplicaState } from './dataset-file.document.js';
import type { NewFile } from './dataset-files.repository.js';

type Maybe<T> = T | null | undefined;
type Errors = Pick<
  InputErrors<string>,
  'add' | 'form' | 'labels' | 'int' | 'list' | 'distinct' | 'text' | 'line'
>;
type Path = readonly (string | number)[];

/** Dataset to create. */
export interface CreateDataset {
  readonly experiment: string;
  readonly name: string;
  readonly metadata?: Maybe<readonly StoredLabel[]>;
}

/** A copy of a file as the caller states it. */
export interface ReplicaSpec {
  readonly location: string;
  readonly state?: Maybe<ReplicaState>;
}

/** A file as the caller states it. */
export interface DatasetFileSpec {
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest?: Maybe<string>;
  readonly eventCount?: Maybe<number>;
  readonly key?: Maybe<string>;
  readonly metadata?: Maybe<readonly StoredLabel[]>;
  readonly replicas?: Maybe<readonly ReplicaSpec[]>;
}

/** Most files of a call, and most characters of them as JSON. */
export const mostFiles = 10_000;
const mostCharacters = 8 * 1024 * 1024;
/** Most errors of a call that are returned. */
const mostErrors = 100;
/** 16 TiB: sums over many files stay exact. */
const largestFile = 17_592_186_044_416;
const mostEvents = 1_000_000_000;
const longestName = 512;
/** Beginning of the names of outputs. */
const ofJobs = 'job_';

/** Keys are filled into templates of other members: nothing that a shell or a place interprets. */
const keyForm = /^[A-Za-z0-9][A-Za-z0-9._:+=@-]{0,254}$/;
const keyText =
  '1 to 255 letters, digits, `.`, `_`, `:`, `+`, `=`, `@`, `-`, beginning with a letter or digit';
const datasetName = /^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,254}$/;
const digestForm = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|md5:[0-9a-f]{32}|adler32:[0-9a-f]{8})$/;

/** Query parameters, in lower case, that give access to each reader of the URL. */
const secretParameters: ReadonlySet<string> = new Set([
  signatureParameters.signature,
  'x-amz-signature',
  'x-goog-signature',
  'sig',
  'authz',
  'access_token',
]);

/** Checks a dataset to create. */
export function checkDataset(errors: Errors, { name, metadata }: CreateDataset): void {
  errors.form(
    ['name'],
    name,
    datasetName,
    '1 to 255 letters, digits, `.`, `_`, `:`, `/`, `+`, `-`, beginning with a letter or digit',
  );
  errors.labels(['metadata'], metadata ?? [], 32);
}

/**
 * Checks files to add.
 * @param owner the owner of the dataset, whose jobs must be able to read the replicas
 * @param storages those of the experiment
 */
export function checkFiles(
  errors: InputErrors<string>,
  files: readonly DatasetFileSpec[],
  owner: PlaceOwner,
  storages: readonly StorageFacts[],
): void {
  errors.list(['files'], files, mostFiles, 1);
  if (!errors.isEmpty) return;
  let characters = 0;
  for (const [at, file] of files.entries()) {
    checkFile(errors, file, ['files', at], owner, storages);
    characters += JSON.stringify(file).length;
    if (errors.all.length >= mostErrors) return;
  }
  errors.distinct(
    ['files'],
    files.map(({ name }) => name),
  );
  if (characters > mostCharacters)
    errors.add(['files'], `${characters} characters`, `at most ${mostCharacters} characters together`);
}

function checkFile(
  errors: Errors,
  { name, sizeBytes, digest, eventCount, key, metadata, replicas }: DatasetFileSpec,
  path: Path,
  owner: PlaceOwner,
  storages: readonly StorageFacts[],
): void {
  checkFileName(errors, name, [...path, 'name']);
  errors.int([...path, 'sizeBytes'], sizeBytes, 0, largestFile);
  if (digest != null)
    errors.form(
      [...path, 'digest'],
      digest,
      digestForm,
      '`ALGORITHM:HEX` in lower case with sha256, sha512, md5 or adler32',
    );
  errors.int([...path, 'eventCount'], eventCount, 0, mostEvents);
  if (key != null) errors.form([...path, 'key'], key, keyForm, keyText);
  errors.labels([...path, 'metadata'], metadata ?? [], 16);
  const copies = replicas ?? [];
  errors.distinct(
    [...path, 'replicas'],
    copies.map(({ location }) => location),
    mostReplicas,
  );
  copies.forEach(({ location, state }, at) => {
    checkLocation(errors, location, [...path, 'replicas', at, 'location'], owner, storages);
    checkState(errors, state, [...path, 'replicas', at, 'state']);
  });
}

/** Checks the state of a copy as a caller states it. */
export function checkState(errors: Pick<Errors, 'add'>, state: Maybe<ReplicaState>, path: Path): void {
  if (state === 'DELETED') errors.add(path, state, 'another state: only Rhizome itself sets this one');
}

function checkFileName(errors: Errors, name: string, path: Path): void {
  const problem = problemOf(() => assertKey(name));
  if (problem !== undefined) errors.add(path, name, `a name that storages permit: ${problem}`);
  else if (Buffer.byteLength(name) > longestName) errors.add(path, name, `at most ${longestName} bytes long`);
  else if (name.startsWith(ofJobs))
    errors.add(path, name, `a name that does not begin with \`${ofJobs}\`, as those of outputs of jobs do`);
}

/** Checks the location of a replica, which jobs of the owner must be able to read. */
export function checkLocation(
  errors: Errors,
  location: string,
  path: Path,
  owner: PlaceOwner,
  storages: readonly StorageFacts[],
): void {
  errors.line(path, location, 1, 4096);
  const expected = isInStorage(location)
    ? problemOfInput(owner, location, storages)
    : /^https?:\/\//i.test(location)
      ? problemOfUrl(location)
      : 'a URL that begins with http:// or https://, or rhizome://STORAGE/KEY';
  if (expected !== undefined) errors.add(path, location, expected);
}

/** All readers of the experiment see the locations. */
function problemOfUrl(location: string): string | undefined {
  const url = URL.canParse(location) ? new URL(location) : undefined;
  if (!url) return 'a valid URL';
  const isSigned = [...url.searchParams.keys()].some((name) => secretParameters.has(name.toLowerCase()));
  return url.username === '' && url.password === '' && !isSigned
    ? undefined
    : 'a URL without a user, a password, a token or a signature, which all members would see';
}

/** Stored form of a file that was checked. */
export function newFile(
  { name, sizeBytes, digest, eventCount, key, metadata, replicas }: DatasetFileSpec,
  storages: readonly StorageFacts[],
  now: Date,
): NewFile {
  return {
    name,
    sizeBytes,
    ...(digest == null ? {} : { digest }),
    ...(eventCount == null ? {} : { events: eventCount }),
    ...(key == null ? {} : { key }),
    metadata: (metadata ?? []).map((one) => ({ key: one.key, value: one.value })),
    replicas: (replicas ?? []).map(({ location, state }) => ({
      location,
      ...storageOf(location, storages),
      state: state ?? 'AVAILABLE',
      changedAt: now,
    })),
  };
}

/** Storage of a location; nothing for one outside of all storages. */
export function storageOf(
  location: string,
  storages: readonly StorageFacts[],
): { readonly storage?: string } {
  const place = isInStorage(location) ? placeOf(location, storages) : undefined;
  return place && 'storage' in place ? { storage: place.storage._id } : {};
}

/** True if a file that is there is the one to add: a repeated call may have been answered before. */
export function isSameFile(known: DatasetFileDocument, file: NewFile): boolean {
  return (['sizeBytes', 'digest', 'events', 'key'] as const).every((name) => known[name] === file[name]);
}
