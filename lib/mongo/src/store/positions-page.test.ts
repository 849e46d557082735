import { describe, expect, it } from '@jest/globals';
import { encodeCursor, orderSignature } from './cursor.js';
import { positionsPage } from './positions-page.js';

const letters = [...'abcdefg'];
const page = (first: number, after?: string | null) =>
  positionsPage({ totalCount: letters.length, first, after, maxFirst: 5 }, (from, count) =>
    letters.slice(from, from + count),
  );

describe('positionsPage', () => {
  it('reads the list page by page, each element once', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    for (;;) {
      const { nodes, pageInfo, totalCount } = await page(3, after);
      expect(totalCount()).toBe(7);
      expect(pageInfo.hasPreviousPage).toBe(after !== null);
      seen.push(...nodes);
      after = pageInfo.endCursor;
      if (!pageInfo.hasNextPage) break;
    }
    expect(seen).toEqual(letters);
  });

  it('gives each element the cursor to continue after', async () => {
    const { edges, pageInfo } = await page(2);
    expect(edges.map(({ node }) => node)).toEqual(['a', 'b']);
    expect([pageInfo.startCursor, pageInfo.endCursor]).toEqual(edges.map(({ cursor }) => cursor));
    expect((await page(1, edges[0]?.cursor)).nodes).toEqual(['b']);
  });

  it('gives an empty page after the last element', async () => {
    const last = (await page(5, (await page(2)).pageInfo.endCursor)).pageInfo;
    expect(last.hasNextPage).toBe(false);
    const { nodes, pageInfo } = await page(5, last.endCursor);
    expect(nodes).toEqual([]);
    expect(pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: true,
      startCursor: null,
      endCursor: null,
    });
  });

  it('refuses a page size out of range', async () => {
    for (const first of [0, -1, 6, 1.5])
      await expect(page(first)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  it('refuses a cursor of another list, and one that is no position', async () => {
    for (const cursor of ['x', encodeCursor(orderSignature('_id:1'), [1])])
      await expect(page(1, cursor)).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    for (const value of [-1, 1.5, 'a', null]) {
      const cursor = encodeCursor(orderSignature('position'), [value]);
      await expect(page(1, cursor)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    }
  });
});
