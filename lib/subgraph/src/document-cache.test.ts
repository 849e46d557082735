import { describe, expect, test } from '@jest/globals';
import { DocumentCache } from './document-cache.js';

describe('a cache of documents', () => {
  test('gives one document for one text, and forgets the one not seen for longest', () => {
    const cache = new DocumentCache(2);
    const [a, b] = [cache.parse('{ a }'), cache.parse('{ b }')];
    expect(cache.parse('{ a }')).toBe(a);
    cache.parse('{ c }');
    expect(cache.parse('{ a }')).toBe(a);
    expect(cache.parse('{ b }')).not.toBe(b);
  });

  test('hands out what is wrong with a text, and does not keep it', () => {
    expect(new DocumentCache(2).parse('{')).toMatchObject({
      message: expect.stringMatching(/^Syntax Error/),
    });
  });
});
