import { describe, expect, it } from '@jest/globals';
import { visibleText } from './visible-text.js';

describe('visibleText', () => {
  it.each([
    ['a\u001b]0;x\u0007\tb\r\nc\rd', 'a␛]0;x␇\tb\nc␍d'],
    ['x\u202etxt.exe\u200b\u2066', 'x⟨U+202E⟩txt.exe⟨U+200B⟩⟨U+2066⟩'],
    ['a\u0085b\u2028c\u2029', 'a⟨U+0085⟩b⟨U+2028⟩c⟨U+2029⟩'],
    ['\u180e\ufff9x\u3164\u034f', '⟨U+180E⟩⟨U+FFF9⟩x⟨U+3164⟩⟨U+034F⟩'],
    ['\u{e0041}\u{1d173}\u{e0100}', '⟨U+E0041⟩⟨U+1D173⟩⟨U+E0100⟩'],
  ])('shows controls and characters that reverse or hide text: %j', (text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  it('leaves other characters as they are', () => {
    const text = 'muon → {"a": "b"}\n\té 😀 ❤\ufe0f';
    expect(visibleText(text)).toBe(text);
  });
});
