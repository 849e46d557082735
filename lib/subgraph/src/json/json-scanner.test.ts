import { describe, expect, it } from '@jest/globals';
import { assertJsonBounds, JsonScanner } from './json-scanner.js';

const bounds = { depth: 4, tokens: 6 };

/** The error of a text whose bytes arrive in chunks of this size. */
function scan(text: string, size: number): unknown {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bounds);
  try {
    for (let at = 0; at < bytes.length; at += size) scanner.scan(bytes.subarray(at, at + size));
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return scanner.tokens;
}

describe('JsonScanner', () => {
  it.each<[string, string, unknown]>([
    ['counts brackets and commas', '{"a":[1,2]}', 3],
    ['does not count what is in strings', '{"[[[[,,,,":"{{{{{"}', 1],
    ['recognises escaped quotes', '["\\\\\\"[[[[[",1]', 2],
    ['recognises a string that ends with a backslash', '["\\\\\\\\",[[]]]', 4],
    ['counts levels, not brackets', '[[],[],[]]', 6],
    ['refuses one level too many', '[[[[[', 'OPERATION_TOO_COMPLEX'],
    ['refuses one token too many', '[1,2,3,4,5,6,7]', 'OPERATION_TOO_COMPLEX'],
    ['takes characters of several bytes', '["αβ","ü,["]', 2],
  ])('scans the same however the bytes arrive: %s', (_what, text, expected) => {
    for (const size of [1, 2, 3, 5, 100]) expect(scan(text, size)).toBe(expected);
  });
});

describe('assertJsonBounds', () => {
  it('throws for a text that nests deeper than variables may', () => {
    const nested = (levels: number): Buffer => Buffer.from('['.repeat(levels) + ']'.repeat(levels));
    expect(() => assertJsonBounds(nested(202))).not.toThrow();
    expect(() => assertJsonBounds(nested(203))).toThrow('nested at most 200 deep');
  });
});
