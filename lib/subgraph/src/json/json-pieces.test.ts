import { describe, expect, it } from '@jest/globals';
import { cutJson, JsonAssembly, type JsonPiece } from './json-pieces.js';

/** The value after its way in pieces, and the number of pieces. */
function passed(value: unknown, size: number): { readonly value: unknown; readonly pieces: number } {
  const assembly = new JsonAssembly();
  let pieces = 0;
  for (const piece of cutJson(value, size)) {
    pieces++;
    const isComplete = assembly.addPiece(structuredClone(piece) as JsonPiece);
    if (isComplete) return { value: assembly.value, pieces };
  }
  throw new Error('The value is incomplete');
}

describe('cutJson', () => {
  it.each<[string, unknown]>([
    ['nothing', null],
    ['a text', 'x'.repeat(300)],
    ['an empty list in a list', [[], 'x'.repeat(300), {}]],
    ['a long list', Array.from({ length: 500 }, (_, at) => at)],
    [
      'a wide object',
      Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`key${at}`, `value ${at}`])),
    ],
    [
      'lists in objects in lists',
      Array.from({ length: 50 }, (_, at) => ({ at, of: [at, [at, { deep: 'y'.repeat(at) }]] })),
    ],
  ])('passes on %s in pieces of any size', (_what, value) => {
    for (const size of [1, 50, 1000, 1_000_000]) expect(passed(value, size).value).toEqual(value);
  });

  it('cuts a large value into pieces of bounded size', () => {
    const value = { jobs: Array.from({ length: 1000 }, () => ({ note: 'n'.repeat(90) })) };
    const { pieces } = passed(value, 10_000);
    expect(pieces).toBeGreaterThan(10);
    expect(pieces).toBeLessThan(30);
  });

  it('keeps a key that names the prototype as JSON.parse does', () => {
    const value: unknown = JSON.parse(`{"__proto__":{"isAdmin":true},"note":"${'n'.repeat(100)}"}`);
    const result = passed(value, 20).value as object;
    expect(Object.keys(result)).toEqual(['__proto__', 'note']);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect((result as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  });
});
