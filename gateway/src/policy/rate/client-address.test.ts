import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { clientAddresses, isNetwork } from './client-address.js';

const from = (remoteAddress: string, forwarded?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('clientAddresses', () => {
  it.each<[string, string, string | undefined, string]>([
    ['the connection', '192.0.2.7', undefined, '192.0.2.7'],
    ['the connection, whatever an untrusted client writes', '192.0.2.7', '198.51.100.1', '192.0.2.7'],
    ['what a trusted proxy has seen', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['the last untrusted address of a chain', '10.1.2.3', '8.8.8.8, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
    ['the proxy, if the header is no address', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['an IPv4 address in the form of IPv6', '::ffff:192.0.2.7', undefined, '192.0.2.7'],
    ['the network of an IPv6 address', '2001:db8:0:7:1::5', undefined, '2001:db8:0:7::/64'],
    ['a shortened one', '2001:db8::5', undefined, '2001:db8:0:0::/64'],
  ])('returns %s', (_what, remote, forwarded, expected) => {
    expect(clientAddresses(['10.0.0.0/8'])(from(remote, forwarded))).toBe(expected);
  });
});

describe('isNetwork', () => {
  it.each([
    ['10.0.0.1', true],
    ['10.0.0.0/8', true],
    ['::1/128', true],
    ['10.0.0.0/33', false],
    ['proxy.example.org', false],
  ])('classifies %s: %p', (entry, expected) => expect(isNetwork(entry)).toBe(expected));
});
