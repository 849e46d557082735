import { describe, expect, it } from '@jest/globals';
import { windowAt } from './windows.js';

describe('windowAt', () => {
  const now = new Date('2026-12-31T23:59:59.999Z');

  it.each([
    ['HOUR', '2026-12-31T23:00:00.000Z'],
    ['DAY', '2026-12-31T00:00:00.000Z'],
    ['MONTH', '2026-12-01T00:00:00.000Z'],
  ] as const)('gives the %s that begins at %s', (kind, start) => {
    expect(windowAt(kind, now)).toEqual({ start: new Date(start), end: new Date('2027-01-01T00:00:00Z') });
  });
});
