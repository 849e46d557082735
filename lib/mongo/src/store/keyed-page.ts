import { badInput, DomainError } from '@rhizome/errors';
import { decodeCursor, encodeCursor, orderSignature } from './cursor.js';
import type { PositionsPage } from './positions-page.js';

/** A whole list in memory, and the page of it to take. */
export interface KeyedRequest<T> {
  /** The list, ordered by its keys, each of which occurs once. */
  readonly items: readonly T[];
  readonly keyOf: (item: T) => string;
  /** Size of the page, 1 to `maxFirst`. */
  readonly first: number;
  /** Cursor of the last element of the page before; absent or null for the first page. */
  readonly after?: string | null | undefined;
  /** Largest allowed page; 100 unless given. */
  readonly maxFirst?: number;
}

const signature = orderSignature('key');

/**
 * A page of a list in memory. Pages continue after a key, so that elements that come or go between two pages
 * are neither repeated nor missed.
 * @throws DomainError CURSOR_INVALID, or BAD_USER_INPUT when `first` is out of range.
 */
export function keyedPage<T>({
  items,
  keyOf,
  first,
  after,
  maxFirst = 100,
}: KeyedRequest<T>): PositionsPage<T> {
  if (!Number.isInteger(first) || first < 1 || first > maxFirst)
    throw badInput('first', first, `1 to ${maxFirst}`);
  const last = after === undefined || after === null ? undefined : keyIn(after);
  const rest = last === undefined ? items : items.filter((item) => keyOf(item) > last);
  const edges = rest
    .slice(0, first)
    .map((node) => ({ node, cursor: encodeCursor(signature, [keyOf(node)]) }));
  return {
    nodes: edges.map(({ node }) => node),
    edges,
    pageInfo: {
      hasNextPage: rest.length > edges.length,
      hasPreviousPage: last !== undefined,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () => items.length,
  };
}

function keyIn(cursor: string): string {
  const [key] = decodeCursor(cursor, signature, 1);
  if (typeof key === 'string') return key;
  throw new DomainError('CURSOR_INVALID', `after: "${cursor.slice(0, 100)}" is not a cursor of this list`, {
    field: 'after',
    value: cursor.slice(0, 100),
  });
}
