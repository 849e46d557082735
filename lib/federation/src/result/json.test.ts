import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leafText, quote } from './json.js';

describe('JSON text of leaves', () => {
  it('equals JSON.stringify for strings', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 120 }),
        (text) => quote(text) === JSON.stringify(text),
      ),
      { numRuns: 5_000 },
    );
  });

  it.each([
    '',
    '"',
    '\\',
    '\u0000',
    '\u001f',
    '\ud800',
    '\udfff',
    '🙂',
    '\u2028',
    'x'.repeat(100),
    `${'x'.repeat(100)}"`,
  ])('equals JSON.stringify for %j', (text) => {
    expect(quote(text)).toBe(JSON.stringify(text));
  });

  it.each([0, -0, 1.5, -7, 1e21, 1e-7, 2 ** 53, true, false, null, { a: [1] }, []])(
    'equals JSON.stringify for the value %j',
    (value) => {
      expect(leafText(value)).toBe(JSON.stringify(value));
    },
  );

  it('is undefined for values without JSON text', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(leafText(cycle)).toBeUndefined();
    expect(leafText(1n)).toBeUndefined();
    expect(leafText(() => 1)).toBeUndefined();
    expect(leafText(Number.NaN)).toBe('null');
  });
});
