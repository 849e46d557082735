import { badInput, DomainError } from '@rhizome/errors';
import {
  type Collection,
  type Document,
  type Filter,
  type Hint,
  MongoServerError,
  type WithId,
} from 'mongodb';
import { decodeCursor, encodeCursor, orderSignature, type KeyValue } from './cursor.js';

/** One field of an order. */
export interface OrderField {
  /** Dotted path of a field that holds a text, number, boolean, date or null. */
  readonly field: string;
  /** 1 ascending, -1 descending. */
  readonly direction: 1 | -1;
  /** Some documents lack the field or have null in it (these sort lowest); false unless given. */
  readonly nullable?: boolean;
}

/** Request for a page. */
export interface KeysetRequest<TDoc extends Document> {
  readonly collection: Collection<TDoc>;
  readonly filter: Filter<TDoc>;
  /** The order; `_id` is added at its end where it is not there, so that every document has its place. */
  readonly order: readonly OrderField[];
  /** Size of the page, 1 to `maxFirst`. */
  readonly first: number;
  /** Cursor of the last document of the page before; absent or null for the first page. */
  readonly after?: string | null | undefined;
  /** Fields to read; those of the order are added. */
  readonly projection?: Readonly<Record<string, 1 | true>>;
  /** Fields to leave out, where no `projection` is given. */
  readonly exclude?: readonly string[];
  /** Largest allowed page; 100 unless given. */
  readonly maxFirst?: number;
  /** Index to use, by name or keys. */
  readonly hint?: Hint;
  /** Longest time of the read at the store, in milliseconds; where one page is read alone. */
  readonly maxTimeMs?: number;
}

/** Relay's page information; forward only. */
export interface PageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

/** A page of a list. */
export interface KeysetPage<TDoc extends Document> {
  readonly nodes: readonly WithId<TDoc>[];
  readonly edges: readonly { readonly node: WithId<TDoc>; readonly cursor: string }[];
  readonly hasNextPage: boolean;
  readonly pageInfo: PageInfo;
  /**
   * Counts the documents of the whole list, on demand. Pages that were read together are counted together.
   * @returns null when there are more than {@link largestCount}, or when counting takes too long
   */
  readonly totalCount: () => Promise<number | null>;
}

/** Largest number of documents that `totalCount` counts. */
export const largestCount = 10_000;
const countTimeoutMs = 2000;
const maxTimeExpired = 50;

/**
 * Reads a page by the values of its order instead of by skipping: as fast at the end of a list as at its
 * start, and nothing is seen twice or missed when documents come or go between two pages.
 * @throws DomainError CURSOR_INVALID, or BAD_USER_INPUT when `first` is out of range or the read takes longer
 *   than `maxTimeMs`.
 */
export async function keysetPage<TDoc extends Document>(
  request: KeysetRequest<TDoc>,
): Promise<KeysetPage<TDoc>> {
  const { collection, hint, maxTimeMs } = request;
  const read = readOf(request);
  const { filter, sort, limit, projection } = read;
  const options = {
    sort,
    limit,
    ...(projection ? { projection } : {}),
    ...(hint ? { hint } : {}),
    ...(maxTimeMs === undefined ? {} : { maxTimeMS: maxTimeMs }),
  };
  const found = await collection
    .find(filter, options)
    .toArray()
    .catch((error: unknown) => {
      throw isOverTime(error) ? tooLong(maxTimeMs) : error;
    });
  return pageOf(found, request, read, async () => (await countsOf([request]))[0] ?? null);
}

/** True for the error of an operation that took longer than its `maxTimeMS`. */
export function isOverTime(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === maxTimeExpired;
}

function tooLong(maxTimeMs: number | undefined): DomainError {
  const text = `filter: the search took longer than ${maxTimeMs} ms; must have conditions that narrow it further`;
  return new DomainError('BAD_USER_INPUT', text, { field: 'filter' });
}

/** Pages that one command reads at most. */
const pagesAtOnce = 50;
const pageMark = 'keysetPage';

/**
 * Reads several pages of one collection, as a list of lists needs them, with one command for up to 50 of
 * them; in order. A hint holds where one page is read alone: the server chooses for each part of a command.
 * @throws DomainError as {@link keysetPage}
 */
export async function keysetPages<TDoc extends Document>(
  requests: readonly KeysetRequest<TDoc>[],
): Promise<readonly KeysetPage<TDoc>[]> {
  const [only] = requests;
  if (!only) return [];
  if (requests.length === 1) return [await keysetPage(only)];
  const pages: KeysetPage<TDoc>[] = [];
  for (let start = 0; start < requests.length; start += pagesAtOnce)
    pages.push(...(await pagesTogether(only.collection, requests.slice(start, start + pagesAtOnce))));
  return pages;
}

async function pagesTogether<TDoc extends Document>(
  collection: KeysetRequest<TDoc>['collection'],
  requests: readonly KeysetRequest<TDoc>[],
): Promise<readonly KeysetPage<TDoc>[]> {
  const reads = requests.map(readOf);
  const [first = [], ...others] = reads.map(({ filter, sort, limit, projection }, position): Document[] => [
    { $match: filter },
    { $sort: sort },
    { $limit: limit },
    ...(projection ? [{ $project: projection }] : []),
    { $addFields: { [pageMark]: position } },
  ]);
  const united = others.map((pipeline) => ({ $unionWith: { coll: collection.collectionName, pipeline } }));
  const found = requests.map((): WithId<TDoc>[] => []);
  for await (const document of collection.aggregate<WithId<TDoc>>([...first, ...united])) {
    const { [pageMark]: position, ...rest } = document as WithId<TDoc> & { [pageMark]: number };
    found[position]?.push(rest as unknown as WithId<TDoc>);
  }
  let counts: Promise<readonly (number | null)[]> | undefined;
  return requests.map((request, position) =>
    pageOf(found[position] ?? [], request, reads[position] as KeysetRead<TDoc>, async () => {
      counts ??= countsOf(requests);
      return (await counts)[position] ?? null;
    }),
  );
}

/** Sizes of the whole lists, with one command; null for those that are too long or take too long to count. */
async function countsOf<TDoc extends Document>(
  requests: readonly KeysetRequest<TDoc>[],
): Promise<readonly (number | null)[]> {
  const [only] = requests;
  if (!only) return [];
  const [first = [], ...others] = requests.map(({ filter }, position): Document[] => [
    { $match: filter },
    { $limit: largestCount + 1 },
    { $count: 'count' },
    { $addFields: { position } },
  ]);
  const coll = only.collection.collectionName;
  const united = others.map((pipeline) => ({ $unionWith: { coll, pipeline } }));
  const options = {
    maxTimeMS: countTimeoutMs,
    ...(requests.length === 1 && only.hint ? { hint: only.hint } : {}),
  };
  const sizes = requests.map((): number | null => 0);
  try {
    const found = only.collection.aggregate<{ position: number; count: number }>(
      [...first, ...united],
      options,
    );
    for await (const { position, count } of found) sizes[position] = count > largestCount ? null : count;
  } catch (error) {
    if (isOverTime(error)) return requests.map(() => null);
    throw error;
  }
  return sizes;
}

/** Query of a page. */
interface KeysetRead<TDoc extends Document> {
  readonly order: readonly OrderField[];
  readonly signature: string;
  readonly isContinued: boolean;
  readonly filter: Filter<TDoc>;
  readonly sort: Record<string, 1 | -1>;
  readonly limit: number;
  readonly projection: Document | undefined;
}

function readOf<TDoc extends Document>(request: KeysetRequest<TDoc>): KeysetRead<TDoc> {
  const { first, after, maxFirst = 100 } = request;
  if (!Number.isInteger(first) || first < 1 || first > maxFirst)
    throw badInput('first', first, `1 to ${maxFirst}`);
  const order = withId(request.order);
  const signature = orderSignature(order.map(({ field, direction }) => `${field}:${direction}`).join());
  const place =
    after === undefined || after === null ? undefined : decodeCursor(after, signature, order.length);
  return {
    order,
    signature,
    isContinued: place !== undefined,
    filter: place ? behind(request.filter, order, place) : request.filter,
    sort: Object.fromEntries(order.map(({ field, direction }) => [field, direction])),
    limit: first + 1,
    projection: projectionOf(request, order),
  };
}

/** The page of what was found. Cursors are made for those who read them: most pages are asked for one. */
function pageOf<TDoc extends Document>(
  found: readonly WithId<TDoc>[],
  { first }: KeysetRequest<TDoc>,
  { order, signature, isContinued: hasPreviousPage }: KeysetRead<TDoc>,
  totalCount: () => Promise<number | null>,
): KeysetPage<TDoc> {
  const nodes = found.slice(0, first);
  const hasNextPage = found.length > first;
  const cursorOf = (node: WithId<TDoc> | undefined): string | null =>
    node
      ? encodeCursor(
          signature,
          order.map(({ field }) => valueAt(node, field)),
        )
      : null;
  let edges: KeysetPage<TDoc>['edges'] | undefined;
  return {
    nodes,
    get edges() {
      return (edges ??= nodes.map((node) => ({ node, cursor: cursorOf(node) ?? '' })));
    },
    hasNextPage,
    totalCount,
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      get startCursor() {
        return cursorOf(nodes.at(0));
      },
      get endCursor() {
        return cursorOf(nodes.at(-1));
      },
    },
  };
}

function withId(order: readonly OrderField[]): readonly OrderField[] {
  const index = order.findIndex(({ field }) => field === '_id');
  if (index >= 0) return order.slice(0, index + 1);
  return [...order, { field: '_id', direction: order.at(-1)?.direction ?? 1 }];
}

function projectionOf<TDoc extends Document>(
  { projection, exclude = [] }: KeysetRequest<TDoc>,
  order: readonly OrderField[],
): Document | undefined {
  if (projection) return withOrder(projection, order);
  return exclude.length === 0 ? undefined : Object.fromEntries(exclude.map((field) => [field, 0]));
}

function withOrder(projection: Readonly<Record<string, 1 | true>>, order: readonly OrderField[]): Document {
  // A projected parent has its fields in it already; the server refuses both.
  const covered = (field: string): boolean =>
    Object.keys(projection).some((key) => field === key || field.startsWith(`${key}.`));
  const missing = order.filter(({ field }) => !covered(field)).map(({ field }) => [field, 1]);
  return { ...projection, ...Object.fromEntries(missing) };
}

/**
 * Documents behind a place: behind it in the first field, or equal there and behind it in the next, and so
 * on.
 */
function behind<TDoc extends Document>(
  filter: Filter<TDoc>,
  order: readonly OrderField[],
  place: readonly KeyValue[],
): Filter<TDoc> {
  const branches: Document[] = [];
  const equal: Document = {};
  order.forEach((field, index) => {
    const value = place[index] ?? null;
    for (const condition of beyond(field, value)) branches.push({ ...equal, ...condition });
    equal[field.field] = value;
  });
  const [only] = branches;
  if (branches.length === 1 && only) return { $and: [filter, only] } as Filter<TDoc>;
  return { $and: [filter, ...bound(order[0], place[0] ?? null), { $or: branches }] } as Filter<TDoc>;
}

/**
 * The conditions of one field under which a document lies behind the value: comparisons of MongoDB never
 * cross types.
 */
function beyond({ field, direction, nullable = false }: OrderField, value: KeyValue): Document[] {
  if (direction === 1) return [{ [field]: value === null ? { $ne: null } : { $gt: value } }];
  if (value === null) return [];
  return [{ [field]: { $lt: value } }, ...(nullable ? [{ [field]: null }] : [])];
}

/** A bound that follows from the branches and lets the index start at the place. */
function bound(first: OrderField | undefined, value: KeyValue): Document[] {
  if (!first || first.nullable === true || value === null) return [];
  return [{ [first.field]: first.direction === 1 ? { $gte: value } : { $lte: value } }];
}

function valueAt(document: Document, path: string): KeyValue {
  const value = path
    .split('.')
    .reduce<unknown>(
      (at, part) => (typeof at === 'object' && at !== null ? (at as Document)[part] : undefined),
      document,
    );
  if (value === undefined || value === null) return null;
  if (
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value instanceof Date
  )
    return value;
  throw new TypeError(
    `${path} of ${String(document['_id'])} is no text, number, boolean or date; a list cannot be ordered by it`,
  );
}
