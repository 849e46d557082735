import { describe, expect, it } from '@jest/globals';
import { kindOf } from './file-kind.js';

const bytesOf = (...parts: (string | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part)] : part)));
const kind = (bytes: Uint8Array, name = 'file', isWhole = true) => {
  const found = kindOf(bytes, { name, isWhole });
  return found.kind === 'IMAGE' ? found.mediaType : found.kind;
};

describe('kindOf', () => {
  it.each([
    ['image/png', bytesOf([0x89], 'PNG\r\n', [0x1a, 0x0a, 0, 0])],
    ['image/jpeg', bytesOf([0xff, 0xd8, 0xff, 0xe0])],
    ['image/gif', bytesOf('GIF89a', [1, 0])],
    ['image/webp', bytesOf('RIFF', [1, 2, 3, 4], 'WEBP', [1])],
    ['image/svg+xml', bytesOf('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['image/svg+xml', bytesOf('\ufeff<?xml version="1.0"?>\n<!-- a > b -->\n<!DOCTYPE svg>\n<svg>')],
    ['JSON', bytesOf(' {"a": 1}')],
    ['TEXT', bytesOf('{"a": 1')],
    ['TEXT', bytesOf('12')],
    ['TEXT', bytesOf('rooted in text')],
    ['TEXT', bytesOf('\u001b[31mred\u0007')],
    ['BINARY', bytesOf('root', [0, 0, 0xf2, 0x2c])],
    ['BINARY', bytesOf('%PDF-1.7\n', [0xe2, 0xe3, 0xcf, 0xd3])],
    ['BINARY', bytesOf([0xc3, 0x28])],
    ['BINARY', bytesOf('a', [0], 'b')],
  ])('finds %s by content', (expected, bytes) => {
    expect(kind(bytes, 'any.dat')).toBe(expected);
  });

  it('shows HTML as text whatever its name is', () => {
    const html = bytesOf('<!DOCTYPE html><script>alert(1)</script>');
    expect([kind(html, 'a.png'), kind(html, 'a.svg'), kind(html, 'a.html')]).toEqual([
      'TEXT',
      'TEXT',
      'TEXT',
    ]);
  });

  it('shows the beginning of a large SVG image as text', () => {
    expect(kindOf(bytesOf('<svg>'), { name: 'a.svg', isWhole: false }).kind).toBe('TEXT');
  });

  it('does not take HTML with an SVG image in it for an SVG image', () => {
    expect(kind(bytesOf('<!DOCTYPE html><svg>'))).toBe('TEXT');
    expect(kind(bytesOf('<html><svg>'))).toBe('TEXT');
  });

  it('takes text for Markdown by its name, but no other content', () => {
    expect(kind(bytesOf('# Title'), 'README.md')).toBe('MARKDOWN');
    expect(kind(bytesOf('# Title'), 'README.txt')).toBe('TEXT');
    expect(kind(bytesOf([0x89], 'PNG\r\n', [0x1a, 0x0a]), 'README.md')).toBe('image/png');
  });

  it('formats JSON only as a whole', () => {
    expect(kind(bytesOf('[1]'), 'a.json', false)).toBe('TEXT');
  });

  it('leaves out a character that the end of the beginning cuts', () => {
    const cut = bytesOf('ok ', [0xe2, 0x82]);
    expect(kindOf(cut, { name: 'a', isWhole: false })).toEqual({ kind: 'TEXT', text: 'ok ' });
    expect(kind(cut)).toBe('BINARY');
  });
});
