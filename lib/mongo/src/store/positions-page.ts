import { badInput } from '@rhizome/errors';
import { decodeCursor, encodeCursor, orderSignature } from './cursor.js';
import type { PageInfo } from './keyset-page.js';

/** A list whose elements are known by their position, from 0, and the page of it to read. */
export interface PositionsRequest {
  /** Length of the whole list. */
  readonly totalCount: number;
  /** Size of the page, 1 to `maxFirst`. */
  readonly first: number;
  /** Cursor of the last element of the page before; absent or null for the first page. */
  readonly after?: string | null | undefined;
  /** Largest allowed page; 100 unless given. */
  readonly maxFirst?: number;
}

/** A page of such a list. */
export interface PositionsPage<T> {
  readonly nodes: readonly T[];
  readonly edges: readonly { readonly node: T; readonly cursor: string }[];
  readonly pageInfo: PageInfo;
  readonly totalCount: () => number;
}

const signature = orderSignature('position');
const cursorOf = (position: number): string => encodeCursor(signature, [position]);

/**
 * Reads a page of a list by the positions of its elements.
 * @param read the elements from a position on; as many as asked for, which are there
 * @throws DomainError CURSOR_INVALID, or BAD_USER_INPUT when `first` is out of range.
 */
export async function positionsPage<T>(
  { totalCount, first, after, maxFirst = 100 }: PositionsRequest,
  read: (from: number, count: number) => readonly T[] | Promise<readonly T[]>,
): Promise<PositionsPage<T>> {
  if (!Number.isInteger(first) || first < 1 || first > maxFirst)
    throw badInput('first', first, `1 to ${maxFirst}`);
  const from = after === undefined || after === null ? 0 : positionOf(after) + 1;
  const count = Math.max(0, Math.min(first, totalCount - from));
  const nodes = count === 0 ? [] : await read(from, count);
  return {
    nodes,
    edges: nodes.map((node, offset) => ({ node, cursor: cursorOf(from + offset) })),
    pageInfo: {
      hasNextPage: from + count < totalCount,
      hasPreviousPage: from > 0,
      startCursor: nodes.length === 0 ? null : cursorOf(from),
      endCursor: nodes.length === 0 ? null : cursorOf(from + nodes.length - 1),
    },
    totalCount: () => totalCount,
  };
}

function positionOf(cursor: string): number {
  const [position] = decodeCursor(cursor, signature, 1);
  if (typeof position === 'number' && Number.isSafeInteger(position) && position >= 0) return position;
  throw badInput('after', cursor, 'a cursor of this list');
}
