import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import { locate, type ReportCode } from './report-input.js';

describe('locate', () => {
  it('names the pools of units that are not of one pool', () => {
    const errors = new InputErrors<ReportCode>();
    const endings = ['A', 'B', 'C', 'D'].map((last) => `01J0000000000000000000000${last}`);
    locate(
      errors,
      endings.map((ulid) => ({ id: `unit_${ulid}.1.0`, fence: 1 })),
    );
    const names = endings.slice(0, 3).map((ulid) => `pool_${ulid}`);
    expect(errors.all[0]?.message).toContain(`units of pools ${names.join(', ')} and 1 more`);
  });
});
