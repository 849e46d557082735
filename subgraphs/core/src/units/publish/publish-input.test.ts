import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import { checkUnits } from './publish-input.js';

describe('checkUnits', () => {
  it('names what a unit was given', () => {
    const now = new Date('2030-01-01T00:00:00.000Z');
    const errors = new InputErrors<string>();
    checkUnits(errors, [{ key: 'a', payload: 'x', reference: 'file:///x' }, { key: 'b' }], now);
    expect(errors.all.map(({ message }) => message)).toEqual([
      'units.0: must have either payload or reference; both were given',
      'units.1: must have either payload or reference; neither was given',
    ]);
  });
});
