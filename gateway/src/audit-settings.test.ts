import { describe, expect, it } from '@jest/globals';
import { auditSettings } from './audit-settings.js';

const isAccepted = (syslog: object): boolean => auditSettings.safeParse({ syslog }).success;

describe('audit.syslog', () => {
  it.each([
    ['tls://logs.example:6514'],
    ['tls://logs.example'],
    ['tls://[2001:db8::1]:6514'],
    ['tcp://127.0.0.1:601'],
    ['tcp://[::1]:601'],
    ['tcp://localhost'],
  ])('accepts %s', (url) => {
    expect(isAccepted({ url })).toBe(true);
  });

  it.each([
    ['udp://logs.example:514'],
    ['logs.example:6514'],
    ['tls://'],
    ['tls://user@logs.example'],
    ['tls://logs.example:6514/path'],
  ])('refuses %s', (url) => {
    expect(isAccepted({ url })).toBe(false);
  });

  it('refuses plain text to another machine, unless it is permitted by name', () => {
    const url = 'tcp://logs.example:601';
    expect(isAccepted({ url })).toBe(false);
    expect(isAccepted({ url, insecureTransport: true })).toBe(true);
  });

  it('refuses a certificate without its key', () => {
    const url = 'tls://logs.example';
    expect(isAccepted({ url, certFile: 'c.pem' })).toBe(false);
    expect(isAccepted({ url, keyFile: 'k.pem' })).toBe(false);
    expect(isAccepted({ url, certFile: 'c.pem', keyFile: 'k.pem' })).toBe(true);
  });
});

describe('audit.otlp', () => {
  const accepts = (otlp: object): boolean => auditSettings.safeParse({ otlp }).success;

  it.each([
    ['https://collector.example:4318/v1/logs', true],
    ['https://collector.example/tenant/a/v1/logs', true],
    ['http://127.0.0.1:4318/v1/logs', true],
    ['http://collector.example:4318/v1/logs', false],
    ['https://collector.example:4318', false],
    ['https://user:word@collector.example/v1/logs', false],
    ['grpc://collector.example:4317/v1/logs', false],
    ['collector.example:4318/v1/logs', false],
  ])('takes %s: %s', (url, isTaken) => {
    expect(accepts({ url })).toBe(isTaken);
  });

  it('permits plain text to another machine by name only, and no certificate without its key', () => {
    expect(accepts({ url: 'http://collector.example/v1/logs', insecureTransport: true })).toBe(true);
    const url = 'https://collector.example/v1/logs';
    expect(accepts({ url, certFile: 'c.pem' })).toBe(false);
    expect(accepts({ url, certFile: 'c.pem', keyFile: 'k.pem', authorizationFile: 'a' })).toBe(true);
  });
});
