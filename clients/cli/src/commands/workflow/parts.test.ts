import { describe, expect, it } from '@jest/globals';
import { partsOf } from './parts.js';

const nodes = (count: number, text = ''): { readonly name: string }[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${at}${text}` }));

describe('partsOf', () => {
  it('leaves what one call may have whole', () => {
    const all = nodes(20_000);
    expect(partsOf(all)).toEqual([all]);
  });

  it('divides more nodes into parts of 5000, in their order', () => {
    const all = nodes(20_001);
    const parts = partsOf(all);
    expect(parts.map(({ length }) => length)).toEqual([5000, 5000, 5000, 5000, 1]);
    expect(parts.flat()).toEqual(all);
  });

  it('divides by size, and keeps a node that is too large alone', () => {
    const large = 'x'.repeat(3 * 1_048_576);
    const parts = partsOf([...nodes(5, large), { name: 'x'.repeat(8 * 1_048_576) }, ...nodes(1)]);
    expect(parts.map(({ length }) => length)).toEqual([2, 2, 1, 1, 1]);
  });

  it('divides as the caller wants', () => {
    expect(partsOf(nodes(5), 2).map(({ length }) => length)).toEqual([2, 2, 1]);
  });
});
