import { describe, expect, test } from '@jest/globals';
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
  test('behind the # is taken, kept for the tab, and removed from the address', () => {
    const { place: given, addresses } = place('#token=abc');
    expect(takeToken(given)).toBe('abc');
    expect(addresses).toEqual(['/jobs/x']);
    expect(takeToken({ ...given, location: { ...given.location, hash: '' } })).toBe('abc');
  });

  test('that was kept is found, and gone when it was dropped', () => {
    const { place: given } = place('', { 'rhizome:token': 'old' });
    expect(takeToken(given)).toBe('old');
    dropToken(given.storage);
    expect(takeToken(given)).toBeNull();
  });

  test.each([
    ['abc', 'abc'],
    ['  abc\n', 'abc'],
    ['Bearer abc', 'abc'],
    ['authorization: Bearer abc', 'abc'],
    ['', null],
    ['two words', null],
  ])('pasted as %j is %j', (text, token) => {
    const { place: given, kept } = place('');
    expect(keepToken(text, given.storage)).toBe(token);
    expect(kept['rhizome:token']).toBe(token ?? undefined);
  });
});
