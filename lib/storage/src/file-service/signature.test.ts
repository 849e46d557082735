import { describe, expect, it } from '@jest/globals';
import { type SignedRequest, signRequest, verifyRequest } from './signature.js';

const key = Buffer.alloc(32, 1);
const other = Buffer.alloc(32, 2);
const now = new Date('2030-01-01T00:00:00Z');
const expires = now.getTime() / 1000 + 60;
const write: SignedRequest = { method: 'PUT', key: 'a/b', expires, sizeBytes: 3, sha256: 'ab' };

describe('verifyRequest', () => {
  it('returns what the signature allows', () => {
    expect(verifyRequest('a/b', signRequest(write, key), { keys: [key], now })).toEqual(write);
  });

  it('accepts a signature by any of the keys, so that they can be replaced', () => {
    expect(verifyRequest('a/b', signRequest(write, other), { keys: [key, other], now })).toEqual(write);
  });

  it.each([
    ['another key of the service', (query: URLSearchParams) => query, [other], 'a/b'],
    ['another file', (query: URLSearchParams) => query, [key], 'a/c'],
    ['another method', changed('method', 'DELETE'), [key], 'a/b'],
    ['a later expiry', changed('expires', String(expires + 1)), [key], 'a/b'],
    ['another size', changed('size', '4'), [key], 'a/b'],
    ['another digest', changed('sha256', 'ac'), [key], 'a/b'],
    ['no digest', (query: URLSearchParams) => (query.delete('sha256'), query), [key], 'a/b'],
    ['no signature', (query: URLSearchParams) => (query.delete('signature'), query), [key], 'a/b'],
    ['a shorter signature', changed('signature', 'AAAA'), [key], 'a/b'],
    ['an unknown method', changed('method', 'POST'), [key], 'a/b'],
  ])('refuses %s', (_what, change, keys, file) => {
    expect(() => verifyRequest(file, change(signRequest(write, key)), { keys, now })).toThrow(
      expect.objectContaining({ kind: 'DENIED' }),
    );
  });

  it('refuses an expired signature from the second of its expiry', () => {
    const query = signRequest(write, key);
    const at = (seconds: number) => new Date(seconds * 1000);
    expect(verifyRequest('a/b', query, { keys: [key], now: at(expires - 1) })).toEqual(write);
    expect(() => verifyRequest('a/b', query, { keys: [key], now: at(expires) })).toThrow(/has expired/);
  });
});

function changed(name: string, value: string): (query: URLSearchParams) => URLSearchParams {
  return (query) => (query.set(name, value), query);
}
