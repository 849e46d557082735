import { chmod, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier, signToken } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { type ManualClock, manualClock, testDatabase } from '@rhizome/testkit';
import { storeOf } from '../store/open.repository.js';
import { keyFileOf } from '../testing/identity-system.js';
import { loadKeyEncryption } from './key-encryption.js';
import type { SigningKeysRepository } from './signing-keys.repository.js';
import { cacheLifetimeMs, SigningKeys } from './signing-keys.js';

const issuer = 'https://rhizome.test';

describe('SigningKeys', () => {
  let clock: ManualClock;
  let repository: SigningKeysRepository;
  let keysOn: (store: SigningKeysRepository) => SigningKeys;
  let open: () => Promise<SigningKeys>;
  let stored: () => Promise<string>;
  beforeAll(async () => {
    const db = await testDatabase('identity');
    const encryption = await loadKeyEncryption(await keyFileOf('keys'));
    ({ signingKeys: repository } = await storeOf(db, silentLogger()));
    clock = manualClock();
    keysOn = (store) =>
      new SigningKeys({ repository: store, encryption, issuer, audience: 'rhizome', clock });
    open = async () => {
      const keys = keysOn(repository);
      await keys.refresh();
      return keys;
    };
    stored = async () => JSON.stringify(await db.collection('signingKeys').find().toArray());
  });
  const kids = (keys: SigningKeys) => keys.jwks().keys.map(({ kid }) => kid);
  const mint = async (keys: SigningKeys) =>
    signToken({ subject: 'ann', kind: 'HUMAN', grants: [], ttlSeconds: 1800 }, await keys.signer());

  it('publishes two keys, the same in processes that start at once', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    await a.refresh();
    await b.refresh();
    expect(kids(a)).toHaveLength(2);
    expect(kids(b)).toEqual(kids(a));
    expect((await b.signer()).kid).toBe((await a.signer()).kid);
  });

  it('stores no private key in clear', async () => {
    const keys = await open();
    const token = await mint(keys);
    expect(token.split('.')).toHaveLength(3);
    expect(await stored()).not.toMatch(/"d":|PRIVATE/);
  });

  it('signs with a key only after all verifiers know it, and verifies older tokens on', async () => {
    const keys = await open();
    const verifier = createVerifier({ issuers: [{ issuer, jwks: () => keys.jwks() }], clock });
    const [before, next] = kids(keys);
    const token = await mint(keys);
    await keys.rotate();
    expect((await keys.signer()).kid).toBe(before);
    clock.advance(cacheLifetimeMs + 1000);
    expect((await keys.signer()).kid).toBe(next);
    expect(kids(keys)).toHaveLength(3);
    await expect(verifier.verify(token)).resolves.toMatchObject({ subject: 'ann' });
    await expect(verifier.verify(await mint(keys))).resolves.toMatchObject({ subject: 'ann' });
    clock.advance(3 * 3_600_000);
    expect(kids(keys)).not.toContain(before);
  });

  it('keeps a rotation when a read that began before it ends later', async () => {
    let release = (): void => undefined;
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    const calls: string[] = [];
    let isHeld = false;
    const slow = new Proxy(repository, {
      get:
        (target, name: keyof SigningKeysRepository) =>
        async (...given: never[]) => {
          calls.push(name);
          const isLate = isHeld && calls.length === 1;
          const result = await (target[name] as (...all: never[]) => Promise<unknown>)(...given);
          if (isLate) await isReleased;
          return result;
        },
    });
    const keys = keysOn(slow);
    await keys.refresh();
    const before = kids(keys);
    [isHeld, calls.length] = [true, 0];
    const both = Promise.all([keys.refresh(), keys.rotate()]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual(['all']);
    release();
    await both;
    expect(kids(keys)).toHaveLength(before.length + 1);
    expect(kids(await open())).toEqual(kids(keys));
  });

  it('removes a key at once in an emergency, and signs with the next one', async () => {
    const keys = await open();
    const verifier = createVerifier({ issuers: [{ issuer, jwks: () => keys.jwks() }], clock });
    const { kid } = await keys.signer();
    const token = await mint(keys);
    await verifier.verify(token);
    expect(await keys.remove(kid)).toBe(true);
    expect(kids(keys)).not.toContain(kid);
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(verifier.verify(await mint(keys))).resolves.toMatchObject({ subject: 'ann' });
    expect(await keys.remove(kid)).toBe(false);
  });

  it('replaces a key of 90 days by itself', async () => {
    const keys = await open();
    const { kid } = await keys.signer();
    clock.advance(91 * 86_400_000);
    await keys.refresh();
    expect((await keys.signer()).kid).not.toBe(kid);
  });
});

describe('loadKeyEncryption', () => {
  it('opens what an earlier key sealed, and binds a value to its context', async () => {
    const file = await keyFileOf('kek');
    const first = await loadKeyEncryption(file);
    const sealed = first.seal('secret', 'a');
    const digest = first.digest('x');
    await writeFile(file, `${Buffer.alloc(32, 7).toString('base64')}\n${await readFile(file, 'utf8')}`);
    const second = await loadKeyEncryption(file);
    expect(second.open(sealed, 'a')).toBe('secret');
    expect(() => second.open(sealed, 'b')).toThrow();
    expect(second.digest('x')).toBe(digest);
    expect(second.seal('secret', 'a').keyId).not.toBe(sealed.keyId);
    const other = await loadKeyEncryption(await keyFileOf('other'));
    expect(() => other.open(sealed, 'a')).toThrow(/another key/);
  });

  it.each<[string, string, number]>([
    ['others may read', `${Buffer.alloc(32).toString('base64')}\n`, 0o644],
    ['holds a short key', `${Buffer.alloc(5).toString('base64')}\n`, 0o600],
    ['is empty', '', 0o600],
  ])('refuses a file that %s', async (_, content, mode) => {
    const file = await keyFileOf('bad');
    await writeFile(file, content);
    await chmod(file, mode);
    await expect(loadKeyEncryption(file)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
