/** Pure rules for the places of an input: which a job may read, and in which order. */
import type { StoredInput } from '../jobs/model/job.types.js';
import {
  isInStorage,
  locationsOf,
  mayRead,
  type Place,
  type PlaceOwner,
  placeOf,
  readableForm,
} from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';

/** Place of an input: in a storage, or at a URL that needs no signature. */
export type InputSource = Place<StorageDocument> | { readonly url: string };

/** Reason why a place of an input cannot be read. */
export interface UnreadableSource {
  readonly location: string;
  readonly expected: string;
  readonly code: 'STORAGE_NOT_FOUND' | 'FILE_FORBIDDEN';
}

/** Job that reads an input. */
export interface InputReader extends PlaceOwner {
  /** Name of its queue. */
  readonly queue?: string | undefined;
}

/** Name of the site of a queue; undefined if the queue is unknown. */
export type SiteOf = (queue: string) => string | undefined;

/** Distance of a storage from a job: a smaller number is nearer. */
export type DistanceOf = (storage: StorageDocument) => number;

/**
 * Places of an input that the job may read, the nearest first: in storages of its queue, of its site or
 * another queue there, of no place, of queues and sites elsewhere, and then URLs; among equals as they were
 * declared.
 * @param storages those that the experiment uses
 * @param distanceOf see {@link distancesFrom}
 */
export function sourcesOf(
  reader: InputReader,
  input: Pick<StoredInput, 'location' | 'otherLocations'>,
  storages: readonly StorageDocument[],
  distanceOf: DistanceOf,
): { readonly sources: readonly InputSource[]; readonly unreadable: readonly UnreadableSource[] } {
  const sources: InputSource[] = [];
  const unreadable: UnreadableSource[] = [];
  for (const location of locationsOf(input)) {
    const source = sourceAt(reader, location, storages);
    if ('expected' in source) unreadable.push(source);
    else sources.push(source);
  }
  const distance = (source: InputSource): number => ('url' in source ? 4 : distanceOf(source.storage));
  if (sources.length > 1) sources.sort((a, b) => distance(a) - distance(b));
  return { sources, unreadable };
}

function sourceAt(
  reader: InputReader,
  location: string,
  storages: readonly StorageDocument[],
): InputSource | UnreadableSource {
  if (!isInStorage(location)) return { url: location };
  const place = placeOf(location, storages);
  if ('expected' in place) return { location, ...place, code: 'STORAGE_NOT_FOUND' };
  if (mayRead(reader, place)) return place;
  return { location, expected: readableForm(reader, place.storage), code: 'FILE_FORBIDDEN' };
}

/** Distances from a queue, each of which is found once: a storage may name many queues. */
export function distancesFrom(queue: string | undefined, siteOf: SiteOf): DistanceOf {
  const known = new Map<StorageDocument, number>();
  const site = queue === undefined ? undefined : siteOf(queue);
  const find = ({ queues, site: near }: StorageDocument): number => {
    if (queue !== undefined && queues.includes(queue)) return 0;
    const isAtSite = near === site || queues.some((other) => siteOf(other) === site);
    if (site !== undefined && isAtSite) return 1;
    return queues.length === 0 && near === undefined ? 2 : 3;
  };
  return (storage) => {
    const distance = known.get(storage) ?? find(storage);
    known.set(storage, distance);
    return distance;
  };
}
