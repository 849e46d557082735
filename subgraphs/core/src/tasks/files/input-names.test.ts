import { describe, expect, it } from '@jest/globals';
import { inputNames } from './input-names.js';

describe('inputNames', () => {
  it('keeps names that differ, with `_` for `/`', () => {
    expect(inputNames(['a/b', 'c'])).toEqual(['a_b', 'c']);
  });

  it('puts positions before names that would be equal, or equal to those of other inputs', () => {
    expect(inputNames(['a/b', 'a_b'])).toEqual(['0-a_b', '1-a_b']);
    expect(inputNames(['config.json', 'x'], ['config.json'])).toEqual(['0-config.json', '1-x']);
    expect(inputNames(['config.json'], ['config.json', '0-config.json'])).toEqual(['_0-config.json']);
  });

  it('shortens names by bytes, between characters', () => {
    const [name = ''] = inputNames(['é😀'.repeat(80)]);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(name).toMatch(/^0-.*é😀$/u);
    expect(name).not.toMatch(/\uFFFD|[\uD800-\uDFFF]/u);
  });
});
