import { describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issuerSettings, trustedIssuers } from './issuer-settings.js';

const issuer = 'https://issuer.example';

describe('issuer settings', () => {
  it.each([
    ['an address of keys', { issuer, jwksUri: 'https://issuer.example/jwks' }, true],
    ['a file of keys', { issuer, jwksFile: 'jwks.json' }, true],
    ['neither', { issuer }, false],
    ['both', { issuer, jwksUri: 'https://issuer.example/jwks', jwksFile: 'jwks.json' }, false],
    ['an unknown key', { issuer, jwksFile: 'jwks.json', audience: 'rhizome' }, false],
    [
      'constraints',
      {
        issuer,
        jwksFile: 'jwks.json',
        alias: 'vo',
        experiments: ['alpha'],
        roles: ['USER'],
        kinds: ['USER'],
      },
      true,
    ],
    ['a reserved alias', { issuer, jwksFile: 'jwks.json', alias: 'pilot' }, false],
    ['a tolerance above a minute', { issuer, jwksFile: 'jwks.json', toleranceSeconds: 61 }, false],
  ])('validates %s', (_what, given, isTaken) => {
    expect(issuerSettings.safeParse(given).success).toBe(isTaken);
  });

  it('reads keys from a file; names a file that holds none', () => {
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

  it('reloads rotated keys from the file and keeps the old ones while the file is broken', () => {
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
