import { describe, expect, it } from '@jest/globals';
import { assertSecureListening, assertSecureTransport } from './secure-transport.js';

describe('assertSecureListening', () => {
  const tls = { keyFile: 'key.pem', certFile: 'cert.pem' };

  it.each([
    [{ host: '127.0.0.1', insecureTransport: false }],
    [{ host: '::1', insecureTransport: false }],
    [{ host: 'localhost', insecureTransport: false }],
    [{ host: '0.0.0.0', tls, insecureTransport: false }],
    [{ host: '0.0.0.0', insecureTransport: true }],
  ])('accepts %j', (settings) => {
    expect(() => assertSecureListening(settings)).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'rhizome.example'])('rejects plain text on %s', (host) => {
    expect(() => assertSecureListening({ host, insecureTransport: false })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('tls.keyFile') }),
    );
  });
});

describe('assertSecureTransport', () => {
  it.each([
    'https://core.example/graphql',
    'wss://core.example/graphql',
    'http://127.0.0.2:1/',
    'ws://[::1]:1/',
  ])('accepts %s', (address) => {
    expect(() => assertSecureTransport(address, { field: 'url' })).not.toThrow();
  });

  it.each([
    'http://core.example/',
    'ws://10.0.0.1/',
    'http://localhost.example/',
    'file:///etc/passwd',
    'none',
  ])('rejects %s', (address) => {
    expect(() => assertSecureTransport(address, { field: 'url' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(/^url: /) }),
    );
  });
});
