import { describe, expect, jest, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issuerSettings, trustedIssuers } from './issuer-settings.js';

const issuer = 'https://issuer.example';

describe('an issuer in a configuration', () => {
  test.each([
    ['an address of keys', { issuer, jwksUri: 'https://issuer.example/jwks' }, true],
    ['a file of keys', { issuer, jwksFile: 'jwks.json' }, true],
    ['neither', { issuer }, false],
    ['both', { issuer, jwksUri: 'https://issuer.example/jwks', jwksFile: 'jwks.json' }, false],
    ['a word that is not known', { issuer, jwksFile: 'jwks.json', audience: 'rhizome' }, false],
  ])('with %s', (_what, given, isTaken) => {
    expect(issuerSettings.safeParse(given).success).toBe(isTaken);
  });

  test('brings the keys of its file; a file that holds none is refused with its name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-issuers-'));
    try {
      const file = join(folder, 'jwks.json');
      writeFileSync(file, '{"keys": []}');
      const [trusted] = trustedIssuers([{ issuer, jwksFile: file }]);
      expect((trusted?.jwks as () => unknown)()).toEqual({ keys: [] });
      writeFileSync(file, 'no keys');
      expect(() => trustedIssuers([{ issuer, jwksFile: file }])).toThrow(
        /jwks\.json; expected a JSON Web Key Set/,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('has the keys of its file again after they were rotated, and keeps them while the file is broken', () => {
    jest.useFakeTimers();
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-issuers-'));
    try {
      const file = join(folder, 'jwks.json');
      writeFileSync(file, '{"keys": [{"kty": "EC", "kid": "old"}]}');
      const [trusted] = trustedIssuers([{ issuer, jwksFile: file }]);
      const keys = (): string => JSON.stringify((trusted?.jwks as () => unknown)());
      expect(keys()).toContain('old');
      writeFileSync(file, '{"keys": [{"kty": "EC", "ki');
      jest.advanceTimersByTime(1001);
      expect(keys()).toContain('old');
      writeFileSync(file, '{"keys": [{"kty": "EC", "kid": "new"}]}');
      expect(keys()).toContain('old');
      jest.advanceTimersByTime(1001);
      expect(keys()).toContain('new');
    } finally {
      jest.useRealTimers();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
