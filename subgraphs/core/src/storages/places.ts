/**
 * Places of files. A place is a key in a storage, and belongs to an experiment and an owner:
 * `EXPERIMENT/OWNER/…`, with `EXPERIMENT/OWNER/jobs/JOB/FENCE/NAME` for the outputs of an attempt. What is
 * below `EXPERIMENT/shared/` belongs to all members of the experiment.
 */
import { createHash } from 'node:crypto';
import { assertKey, isStorageError } from '@rhizome/storage';
import type { StorageDocument } from './storage.document.js';

/** Parts of a storage that the rules of places read. */
export type StorageFacts = Pick<
  StorageDocument,
  '_id' | 'provider' | 'address' | 'experiments' | 'queues' | 'isDefault' | 'sharedPrefixes'
>;

/** File in a storage. */
export interface Place<T extends StorageFacts = StorageFacts> {
  readonly storage: T;
  readonly key: string;
}

/** Job or person whose places are meant. */
export interface PlaceOwner {
  readonly experiment: string;
  /** Subject of the owner. */
  readonly owner: string;
}

const scheme = 'rhizome://';
/** Folder of an experiment whose files all its members may read. */
const sharedFolder = 'shared';
const longestOwner = 150;

/** True for a location in a storage: of the form `rhizome://STORAGE/KEY`, or a URL of XRootD. */
export function isInStorage(location: string): boolean {
  return location.startsWith(scheme) || isXrootd(location);
}

const isXrootd = (location: string): boolean => /^x?roots?:\/\//i.test(location);

/** All places of an input, as they were declared. */
export function locationsOf(input: {
  readonly location: string;
  readonly otherLocations?: readonly string[] | null | undefined;
}): readonly string[] {
  return [input.location, ...(input.otherLocations ?? [])];
}

/** The location of a place, as jobs name it. */
export function locationOf(storage: string, key: string): string {
  return `${scheme}${storage}/${key}`;
}

/**
 * The subject of an owner as one segment of a key. Different owners have different segments; none is
 * `shared`, `.` or `..`.
 */
export function ownerSegment(subject: string): string {
  const escaped = subject.replace(/^\.|[^A-Za-z0-9_.@-]/gu, (character) =>
    Buffer.from(character).toString('hex').replace(/../g, '=$&').toUpperCase(),
  );
  if (escaped === sharedFolder) return `=73${escaped.slice(1)}`;
  if (escaped.length <= longestOwner) return escaped;
  // A name of a file has at most 255 bytes.
  return `${escaped.slice(0, 60)}=-${createHash('sha256').update(subject).digest('hex')}`;
}

/** Beginning of the keys of an owner in an experiment. */
export function ownPrefix({ experiment, owner }: PlaceOwner): string {
  return `${experiment}/${ownerSegment(owner)}/`;
}

/** Beginning of the keys of the parts of uploads of an owner. */
export function uploadsPrefix(owner: PlaceOwner): string {
  return `${ownPrefix(owner)}uploads/`;
}

/** Beginning of the keys that all members of an experiment may read. */
export function sharedPrefix(experiment: string): string {
  return `${experiment}/${sharedFolder}/`;
}

/** Id of the job that wrote a key of an owner; undefined for other keys. */
export function jobOfKey(owner: PlaceOwner, key: string): string | undefined {
  const jobs = `${ownPrefix(owner)}jobs/`;
  return key.startsWith(jobs) ? key.slice(jobs.length).split('/')[0] : undefined;
}

/** Beginning of the keys of a job, of all its attempts. */
export function jobPrefix(owner: PlaceOwner, jobId: string): string {
  return `${ownPrefix(owner)}jobs/${jobId}/`;
}

/** Key of an output of an attempt. */
export function outputKey(
  owner: PlaceOwner,
  attempt: { jobId: string; fence: number },
  name: string,
): string {
  return `${jobPrefix(owner, attempt.jobId)}${attempt.fence}/${name}`;
}

/** True if an experiment uses a storage. */
export function serves({ experiments }: Pick<StorageFacts, 'experiments'>, experiment: string): boolean {
  return experiments.length === 0 || experiments.includes(experiment);
}

/**
 * Finds the place of a location among the storages of an experiment.
 * @param storages those that the experiment uses
 * @returns the place, or what would be right
 */
export function placeOf<T extends StorageFacts>(
  location: string,
  storages: readonly T[],
): Place<T> | { readonly expected: string } {
  const [storage, key] = location.startsWith(scheme)
    ? namedStorage(location.slice(scheme.length), storages)
    : coveringStorage(location, storages);
  if (!storage) return { expected: isXrootd(location) ? coveredForm(storages) : namedForm(storages) };
  const expected = problemOf(() => assertKey(key));
  return expected === undefined ? { storage, key } : { expected: `a location with a valid key: ${expected}` };
}

/** Message of the error that a check of a key throws; undefined if the key is valid. */
export function problemOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!isStorageError(error, 'INVALID')) throw error;
    return error.message;
  }
}

function namedStorage<T extends StorageFacts>(
  path: string,
  storages: readonly T[],
): readonly [T | undefined, string] {
  const slash = path.indexOf('/');
  const name = slash < 0 ? path : path.slice(0, slash);
  return [storages.find(({ _id }) => _id === name), slash < 0 ? '' : path.slice(slash + 1)];
}

/** The storage whose address the location begins with; the longest address wins. */
function coveringStorage<T extends StorageFacts>(
  location: string,
  storages: readonly T[],
): readonly [T | undefined, string] {
  const wanted = comparable(location);
  const [storage] = storages
    .filter(({ provider, address }) => provider === 'XROOTD' && wanted.startsWith(folderOf(address)))
    .sort((a, b) => folderOf(b.address).length - folderOf(a.address).length);
  return [storage, storage ? wanted.slice(folderOf(storage.address).length) : ''];
}

const folderOf = (address: string): string => `${comparable(address).replace(/\/+$/, '')}/`;

/** A URL of XRootD with its usual scheme and port, its host in lower case. */
function comparable(url: string): string {
  const [, kind = '', host = '', port = '1094', path = ''] =
    /^x?(roots?):\/\/([^/:]+)(?::(\d+))?(\/.*)?$/is.exec(url) ?? [];
  return `${kind.toLowerCase()}://${host.toLowerCase()}:${port}${path}`;
}

function namedForm(storages: readonly StorageFacts[]): string {
  const names = storages.map(({ _id }) => _id).sort();
  if (names.length === 0) return 'an http:// or https:// URL: the experiment has no storage';
  return `rhizome://STORAGE/KEY with a storage of the experiment: ${names.slice(0, 10).join(', ')}`;
}

function coveredForm(storages: readonly StorageFacts[]): string {
  const addresses = storages.filter(({ provider }) => provider === 'XROOTD').map(({ address }) => address);
  if (addresses.length === 0) return 'an http:// or https:// URL: the experiment has no storage of XRootD';
  return `a URL below the address of a storage of the experiment: ${addresses.slice(0, 10).join(', ')}`;
}

/** True if a job of the owner may read the place. */
export function mayRead(owner: PlaceOwner, { storage, key }: Place): boolean {
  if (!serves(storage, owner.experiment)) return false;
  if (key.startsWith(ownPrefix(owner)) || key.startsWith(sharedPrefix(owner.experiment))) return true;
  return storage.sharedPrefixes.some((prefix) => key.startsWith(prefix));
}

/** Description of the places that a job of the owner may read, for errors. */
export function readableForm(owner: PlaceOwner, { _id, sharedPrefixes }: StorageFacts): string {
  const shared = [sharedPrefix(owner.experiment), ...sharedPrefixes];
  const places = [ownPrefix(owner), ...shared].map((prefix) => locationOf(_id, prefix));
  return `a place that the owner may read, below ${places.slice(0, 5).join(' or ')}`;
}

/**
 * Checks the location of an input that is in a storage.
 * @returns what would be right; undefined if a job of the owner may read it
 */
export function problemOfInput(
  owner: PlaceOwner,
  location: string,
  storages: readonly StorageFacts[],
): string | undefined {
  const place = placeOf(location, storages);
  if ('expected' in place) return place.expected;
  return mayRead(owner, place) ? undefined : readableForm(owner, place.storage);
}

/**
 * The storage for outputs of an experiment's jobs in a queue: one that names the queue before one that names
 * the experiment, then by name. Undefined if there is none.
 */
export function storageForOutputs<T extends StorageFacts>(
  storages: readonly T[],
  experiment: string,
  queue: string | undefined,
): T | undefined {
  const rank = ({ queues, experiments }: T): number =>
    (queues.length > 0 ? 0 : 2) + (experiments.length > 0 ? 0 : 1);
  const [first] = storages
    .filter((storage) => storage.isDefault && serves(storage, experiment))
    .filter(({ queues }) => queues.length === 0 || (queue !== undefined && queues.includes(queue)))
    .sort((a, b) => rank(a) - rank(b) || (a._id < b._id ? -1 : 1));
  return first;
}
