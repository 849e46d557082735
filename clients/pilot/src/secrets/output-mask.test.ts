import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { maskedForms, MaskedTexts, OutputMask } from './output-mask.js';

/** The masked output of a text that arrives in parts. */
function masked(values: readonly string[], parts: readonly Buffer[]): string {
  const forms = maskedForms(values);
  const stream = new OutputMask(() => forms);
  return Buffer.concat([...parts.map((part) => stream.push(part)), stream.end()]).toString('latin1');
}

function cutAt(text: Buffer, positions: readonly number[]): readonly Buffer[] {
  const ends = [...new Set([0, ...positions.map((one) => one % (text.length + 1)), text.length])];
  ends.sort((a, b) => a - b);
  return ends.slice(1).map((end, index) => text.subarray(ends[index], end));
}

const value = 'pa55 word/+?&"=\\ü';

describe('OutputMask', () => {
  it.each([
    ['as it is', value],
    ['in hexadecimal', Buffer.from(value).toString('hex')],
    ['in a URL', encodeURIComponent(value)],
    ['in JSON', JSON.stringify({ value })],
    ['in base64', Buffer.from(value).toString('base64')],
    ['in base64url', Buffer.from(value).toString('base64url')],
  ])('masks a value %s, wherever the output is cut', (_form, text) => {
    const form = Buffer.from(`before ${text} after`);
    for (let cut = 0; cut <= form.length; cut += 1) {
      const found = masked([value], [form.subarray(0, cut), form.subarray(cut)]);
      expect(found).toContain('***');
      expect(found).toMatch(/^before .* after$/);
      for (const part of [text, value, text.slice(8, 18)]) expect(found).not.toContain(part);
    }
  });

  it('masks a value inside a text in base64, at any position', () => {
    for (const before of ['', 'a', 'ab', 'abc', 'abcd']) {
      const text = Buffer.from(`${before}:${value}:x`).toString('base64');
      const found = masked([value], [Buffer.from(text)]);
      expect(Buffer.from(found.replaceAll('***', ''), 'base64').toString()).not.toContain(value.slice(2, 12));
      expect(found).toContain('***');
    }
  });

  it('masks the lines of a value that has several', () => {
    const key = '-----BEGIN KEY-----\n0123456789ab\nline-number-2\n-----END KEY-----\n';
    const output = Buffer.from(key.replaceAll('\n', '\n[prefix] '));
    expect(masked([key], [output])).not.toMatch(/456789|line-num/);
  });

  it('leaves other output as it is, and never shows a value', () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    const cuts = fc.array(fc.nat(), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), cuts, (pieces, positions) => {
        const secret = Buffer.from('go-go-go-gone');
        const text = Buffer.concat(pieces.flatMap((piece) => [Buffer.from(piece), secret]));
        const found = masked(['go-go-go-gone'], cutAt(text, positions));
        expect(found).toBe(text.toString('latin1').replaceAll('go-go-go-gone', '***'));
      }),
    );
  });

  it('holds nothing back that cannot become a value', () => {
    const stream = new OutputMask(() => maskedForms(['abcdefghij']));
    expect(stream.push(Buffer.from('ready> ')).toString()).toBe('ready> ');
    expect(stream.push(Buffer.from('xyz abc')).toString()).toBe('xyz ');
    expect(stream.push(Buffer.from('X')).toString()).toBe('abcX');
  });
});

describe('MaskedTexts', () => {
  const texts = (...all: readonly string[]): readonly Buffer[] => all.map((text) => Buffer.from(text));

  it('keeps the texts of the last three tokens with the fixed ones, the longest first', () => {
    const masked = new MaskedTexts(texts('a fixed text'));
    for (const token of ['one', 'two', 'three', 'four-with-more-characters']) masked.addToken(texts(token));
    expect(masked.all.map(String)).toEqual(['four-with-more-characters', 'a fixed text', 'three', 'two']);
  });
});
