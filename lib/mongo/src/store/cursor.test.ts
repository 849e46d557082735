import { describe, expect, it } from '@jest/globals';
import { decodeCursor, encodeCursor, orderSignature } from './cursor.js';

const signature = orderSignature('createdAt:-1,_id:-1');
const refusal = { code: 'CURSOR_INVALID', details: expect.objectContaining({ field: 'after' }) };
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('encodeCursor', () => {
  it('round-trips texts, numbers, booleans, dates and null', () => {
    const values = ['job_1', 2.5, true, new Date(1234), null];
    expect(decodeCursor(encodeCursor(signature, values), signature, 5)).toEqual(values);
  });

  it.each<[string, string]>([
    ['junk', 'not a cursor'],
    ['nothing', ''],
    ['JSON of another form', base64({ a: 1 })],
    ['a cut cursor', encodeCursor(signature, ['a', 'b']).slice(0, -4)],
    ['another order', encodeCursor(orderSignature('_id:1'), ['a', 'b'])],
    ['another number of fields', encodeCursor(signature, ['a'])],
    ['an operator in place of a value', base64([signature, { $ne: null }, 'b'])],
    ['an operator next to a date', base64([signature, { d: 1, $where: 'x' }, 'b'])],
    ['a date out of range', base64([signature, { d: 1e300 }, 'b'])],
    ['a list in place of a value', base64([signature, ['a'], 'b'])],
  ])('rejects %s with CURSOR_INVALID', (_what, cursor) => {
    expect(() => decodeCursor(cursor, signature, 2)).toThrow(expect.objectContaining(refusal));
  });
});
