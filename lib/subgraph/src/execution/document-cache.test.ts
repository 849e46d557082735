import { describe, expect, it } from '@jest/globals';
import { DocumentCache } from './document-cache.js';

describe('DocumentCache', () => {
  it('returns one document for one text and evicts the least recently used one', () => {
    const cache = new DocumentCache(2);
    const [a, b] = [cache.parse('{ a }'), cache.parse('{ b }')];
    expect(cache.parse('{ a }')).toBe(a);
    cache.parse('{ c }');
    expect(cache.parse('{ a }')).toBe(a);
    expect(cache.parse('{ b }')).not.toBe(b);
  });

  it('keeps at most the given number of characters and no text that would evict all others', () => {
    const cache = new DocumentCache(100, 160);
    const text = (name: string) => `{ ${name.repeat(15)} }`;
    const documents = [...'abcdefgh'].map((name) => cache.parse(text(name)));
    expect(cache.parse(text('b'))).toBe(documents[1]);
    cache.parse(text('i'));
    expect(cache.parse(text('b'))).toBe(documents[1]);
    expect(cache.parse(text('a'))).not.toBe(documents[0]);
    const long = `{ ${'x'.repeat(30)} }`;
    expect(cache.parse(long)).not.toBe(cache.parse(long));
    expect(cache.parse(text('b'))).toBe(documents[1]);
  });

  it('returns the error of an invalid text and does not keep it', () => {
    expect(new DocumentCache(2).parse('{')).toMatchObject({
      message: expect.stringMatching(/^Syntax Error/),
    });
  });
});
