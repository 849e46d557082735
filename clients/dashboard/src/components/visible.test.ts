import { describe, expect, it } from '@jest/globals';
import { visible } from './visible.js';

describe('visible', () => {
  it.each([
    ['a\u202eb', 'a\\u{202e}b'],
    ['a\u200bb\u2060', 'a\\u{200b}b\\u{2060}'],
    ['\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['\u{e0041}', '\\u{e0041}'],
  ])('escapes invisible characters: %j', (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it('leaves other characters as they are', () => {
    expect(visible('muon → {"a": "b"}\n')).toBe('muon → {"a": "b"}\n');
  });
});
