import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { assertNotOfOtherSite, assertOwnPage, cookieOf, isExactOrigin } from './own-page.js';

const origins = ['https://rhizome.example', 'http://127.0.0.1:4000'];
const requestWith = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage;

describe('assertOwnPage', () => {
  it.each<[string, Record<string, string>]>([
    ['the origin of the gateway', { origin: 'https://rhizome.example' }],
    ['another address of the gateway', { origin: 'http://127.0.0.1:4000', 'sec-fetch-site': 'same-origin' }],
    ['no origin, but the mark of the browser', { 'sec-fetch-site': 'same-origin' }],
  ])('accepts %s', (_, headers) => {
    expect(() => assertOwnPage(requestWith(headers), origins)).not.toThrow();
  });

  it.each<[string, Record<string, string>]>([
    ['no origin', {}],
    ['another origin', { origin: 'https://elsewhere.example' }],
    ['another port', { origin: 'http://127.0.0.1:4001' }],
    ['another scheme', { origin: 'http://rhizome.example' }],
    ['a longer name', { origin: 'https://rhizome.example.elsewhere.example' }],
    ['an opaque origin', { origin: 'null' }],
    ['another site', { origin: 'https://rhizome.example', 'sec-fetch-site': 'cross-site' }],
    ['a page of the same site', { 'sec-fetch-site': 'same-site' }],
    ['a typed address', { 'sec-fetch-site': 'none' }],
  ])('refuses %s', (_, headers) => {
    expect(() => assertOwnPage(requestWith(headers), origins)).toThrow('Only a page of this gateway');
  });
});

describe('assertNotOfOtherSite', () => {
  it.each(['same-origin', 'none'])('accepts %s', (site) => {
    expect(() => assertNotOfOtherSite(requestWith({ 'sec-fetch-site': site }))).not.toThrow();
  });

  it('accepts a program that is no browser', () => {
    expect(() => assertNotOfOtherSite(requestWith({}))).not.toThrow();
  });

  it.each(['cross-site', 'same-site'])('refuses %s', (site) => {
    expect(() => assertNotOfOtherSite(requestWith({ 'sec-fetch-site': site }))).toThrow('another site');
  });
});

describe('cookieOf', () => {
  it.each([
    ['a=1; b=2', 'b', '2'],
    ['b=2', 'b', '2'],
    ['ab=1; b=x=y', 'b', 'x=y'],
    ['ab=1', 'b', undefined],
    ['b', 'b', undefined],
  ])('reads %j', (cookie, name, value) => {
    expect(cookieOf(requestWith({ cookie }), name)).toBe(value);
  });
});

describe('isExactOrigin', () => {
  it.each(['https://files.example.org', 'http://127.0.0.1:4200', 'https://[2001:db8::1]:9000'])(
    'accepts %s',
    (origin) => expect(isExactOrigin(origin)).toBe(true),
  );

  it.each([
    ['a wildcard', 'https://*.example.org'],
    ['a path', 'https://files.example.org/'],
    ['a second source', 'https://files.example.org https:'],
    ['a second directive', "https://files.example.org; script-src 'unsafe-inline'"],
    ['a scheme alone', 'https:'],
    ['another scheme', 'data://files.example.org'],
    ['a user', 'https://a@files.example.org'],
    ['the default port', 'https://files.example.org:443'],
    ['a host alone', 'files.example.org'],
  ])('refuses %s', (_what, origin) => expect(isExactOrigin(origin)).toBe(false));
});
