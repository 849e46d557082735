import { describe, expect, it } from '@jest/globals';
import { passwordIn, serviceUri } from './service-uri.js';

describe('serviceUri', () => {
  it.each([
    [
      'mongodb://root:p%40ss@a:1,b:2/?replicaSet=rs0&authSource=local&tls=true',
      'mongodb://core:x%2Fy@a:1,b:2/?replicaSet=rs0&tls=true&authSource=admin&authMechanism=SCRAM-SHA-256',
    ],
    [
      'mongodb+srv://root:p@db.example/admin?tlsCAFile=/ca.pem&tlsCertificateKeyFile=/own.pem&appName=me',
      'mongodb+srv://core:x%2Fy@db.example/?tlsCAFile=/ca.pem&authSource=admin&authMechanism=SCRAM-SHA-256',
    ],
    ['mongodb://localhost', 'mongodb://core:x%2Fy@localhost/?authSource=admin&authMechanism=SCRAM-SHA-256'],
  ])('keeps servers and options of %s, without the credential of the operator', (operator, expected) => {
    expect(serviceUri(operator, 'core', 'x/y')).toBe(expected);
    expect(passwordIn(expected, 'core')).toBe('x/y');
    expect(passwordIn(expected, 'gateway')).toBeUndefined();
  });

  it('finds no password where a "%" begins no code', () => {
    expect(passwordIn('mongodb://core:100%@localhost/', 'core')).toBeUndefined();
  });

  it('refuses what is no connection string', () => {
    expect(() => serviceUri('http://host', 'core', 'x')).toThrow(/cannot be read/);
  });
});
