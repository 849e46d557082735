import { describe, expect, it } from '@jest/globals';
import { dropToken, keepToken, takeToken, type TokenPlace } from './token.js';

function place(hash: string, kept: Record<string, string> = {}) {
  const addresses: unknown[] = [];
  const storage = {
    getItem: (key: string) => kept[key] ?? null,
    setItem: (key: string, value: string) => void (kept[key] = value),
    removeItem: (key: string) => void delete kept[key],
  };
  const made: TokenPlace = {
    storage,
    location: { hash, pathname: '/jobs/x', search: '' },
    history: { replaceState: (_state, _title, address) => void addresses.push(address) },
  };
  return { place: made, addresses, kept };
}

describe('the token', () => {
  it('takes a token from behind the #, keeps it for the tab, and removes it from the address', () => {
    const { place: given, addresses } = place('#token=abc');
    expect(takeToken(given)).toBe('abc');
    expect(addresses).toEqual(['/jobs/x']);
    expect(takeToken({ ...given, location: { ...given.location, hash: '' } })).toBe('abc');
  });

  it('finds a kept token until it is dropped', () => {
    const { place: given } = place('', { 'rhizome:token': 'old' });
    expect(takeToken(given)).toBe('old');
    dropToken(given.storage);
    expect(takeToken(given)).toBeNull();
  });

  it.each([
    ['abc', 'abc'],
    ['  abc\n', 'abc'],
    ['Bearer abc', 'abc'],
    ['authorization: Bearer abc', 'abc'],
    ['', null],
    ['two words', null],
  ])('accepts %j as %j', (text, token) => {
    const { place: given, kept } = place('');
    expect(keepToken(text, given.storage)).toBe(token);
    expect(kept['rhizome:token']).toBe(token ?? undefined);
  });
});
