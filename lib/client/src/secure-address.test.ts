import { describe, expect, it } from '@jest/globals';
import { assertSecureAddress, isLoopbackAddress } from './secure-address.js';

const refused = { isPermitted: false, permission: 'insecureTransport' };

describe('assertSecureAddress', () => {
  it.each([
    'https://rhizome.example/graphql',
    'wss://rhizome.example/graphql',
    'http://127.0.0.1:4000/graphql',
    'http://127.1.2.3/graphql',
    'http://[::1]:4000/graphql',
    'http://localhost:4000/graphql',
    'http://a.localhost/graphql',
  ])('accepts %s', (address) => {
    expect(() => assertSecureAddress(address, refused)).not.toThrow();
  });

  it.each([
    'http://rhizome.example/graphql',
    'ws://rhizome.example/graphql',
    'http://192.0.2.1/graphql',
    'http://127.0.0.1.example/graphql',
    'http://localhost.example/graphql',
    'http://notlocalhost/graphql',
    'http://[2001:db8::1]/graphql',
  ])('refuses %s unless plain text is permitted', (address) => {
    expect(() => assertSecureAddress(address, refused)).toThrow(
      `url: ${address} is not secure; use https:, or permit plain text with insecureTransport`,
    );
    expect(() => assertSecureAddress(address, { ...refused, isPermitted: true })).not.toThrow();
    expect(isLoopbackAddress(address)).toBe(false);
  });
});
