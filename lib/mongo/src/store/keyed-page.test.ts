import { describe, expect, it } from '@jest/globals';
import { encodeCursor, orderSignature } from './cursor.js';
import { keyedPage } from './keyed-page.js';

const list = (...keys: string[]) => keys.map((key) => ({ key }));
const page = (items: { key: string }[], first: number, after?: string | null) =>
  keyedPage({ items, keyOf: ({ key }) => key, first, after });

describe('keyedPage', () => {
  it('continues after a key, whatever came or went before it', () => {
    const { nodes, pageInfo } = page(list('b', 'd', 'f'), 2);
    expect(nodes).toEqual(list('b', 'd'));
    expect(pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const next = page(list('a', 'b', 'c', 'e', 'f'), 2, pageInfo.endCursor);
    expect(next.nodes).toEqual(list('e', 'f'));
    expect(next.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    expect(next.totalCount()).toBe(5);
    expect(next.edges.map(({ node }) => node)).toEqual(next.nodes);
  });

  it('gives an empty page without cursors', () => {
    expect(page([], 1).pageInfo).toMatchObject({ startCursor: null, endCursor: null });
  });

  it('refuses a page size out of range and a cursor of another list', () => {
    expect(() => page(list('a'), 0)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
    expect(() => page(list('a'), 101)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
    const invalid = expect.objectContaining({ code: 'CURSOR_INVALID' });
    expect(() => page(list('a'), 1, 'x')).toThrow(invalid);
    expect(() => page(list('a'), 1, encodeCursor(orderSignature('key'), [1]))).toThrow(invalid);
  });
});
