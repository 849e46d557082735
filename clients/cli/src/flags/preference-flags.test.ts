import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { Output } from '../output.js';
import { printPreferences } from './preference-flags.js';

describe('printPreferences', () => {
  it('prints each preference with its share, and whether the worker met it', () => {
    const stream = new PassThrough();
    const output: Output = { json: false, stream, errors: new PassThrough() };
    const preferences = [
      { expression: 'measured.speed > 1.0', weight: 3 },
      { expression: 'worker.host == "a"', weight: 1 },
    ];
    const attempts = [
      { number: 1, preferenceScore: null, metPreferences: [] },
      { number: 2, preferenceScore: 0.75, metPreferences: [0] },
    ];
    printPreferences(output, preferences, attempts);
    expect(String(stream.read())).toBe(
      'The worker of attempt 2 meets 75 % of the preferences: +75 % measured.speed > 1.0; -25 % worker.host == "a"\n',
    );
  });
});
