import { describe, expect, it } from '@jest/globals';
import { beginLink, proofOfTab } from './link-proof.js';
import { dropToken, keepToken, removeLinked, tokenOfTab, type TokenPlace } from './token.js';

function place(hash: string, kept: Record<string, string> = {}, hostname = '127.0.0.1') {
  const addresses: unknown[] = [];
  const storage = {
    getItem: (key: string) => kept[key] ?? null,
    setItem: (key: string, value: string) => void (kept[key] = value),
    removeItem: (key: string) => void delete kept[key],
  };
  const made: TokenPlace = {
    storage,
    location: { hash, hostname, pathname: '/jobs/x', search: '' },
    history: { replaceState: (_state, _title, address) => void addresses.push(address) },
  };
  return { place: made, addresses, kept };
}

/** As the page does when it is loaded. */
const takeToken = (given: TokenPlace): string | null => tokenOfTab(removeLinked('token', given), given);

describe('the token', () => {
  it('takes a token from behind the #, keeps it for the tab, and removes it from the address', () => {
    const { place: given, addresses } = place('#token=abc');
    expect(takeToken(given)).toBe('abc');
    expect(addresses).toEqual(['/jobs/x']);
    expect(takeToken({ ...given, location: { ...given.location, hash: '' } })).toBe('abc');
  });

  it('keeps its token when a link has another one, and removes that from the address', () => {
    const { place: given, addresses, kept } = place('#token=foreign', { 'rhizome:token': 'own' });
    expect(takeToken(given)).toBe('own');
    expect([addresses, kept]).toEqual([['/jobs/x'], { 'rhizome:token': 'own' }]);
  });

  it.each([
    ['localhost', 'abc'],
    ['127.0.0.1', 'abc'],
    ['[::1]', 'abc'],
    ['rhizome.example', null],
    ['127.0.0.1.example', null],
  ])('takes a token from a link at %s as %j', (hostname, token) => {
    expect(takeToken(place('#token=abc', {}, hostname).place)).toBe(token);
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

describe('the proof of a link', () => {
  it('is taken once by the tab that began the login, and from no other link', () => {
    const { storage } = place('').place;
    expect(proofOfTab('link.a.b', storage)).toBeNull();
    beginLink(storage);
    expect(proofOfTab('link.a.b', storage)).toBe('link.a.b');
    expect(proofOfTab('link.a.b', storage)).toBeNull();
  });
});
