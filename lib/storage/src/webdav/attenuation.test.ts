import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { attenuate } from './attenuation.js';

const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const packet = (text: Buffer): Buffer =>
  Buffer.concat([Buffer.from((text.length + 5).toString(16).padStart(4, '0')), text, Buffer.from('\n')]);

/** A macaroon of an issuer with a key. */
function macaroon(key: Buffer, caveats: readonly string[]): string {
  const signature = caveats.reduce(mac, mac(key, 'id'));
  const texts = ['location test', 'identifier id', ...caveats.map((caveat) => `cid ${caveat}`)];
  const end = Buffer.concat([Buffer.from('signature '), signature]);
  return Buffer.concat([...texts.map((text) => packet(Buffer.from(text))), packet(end)]).toString(
    'base64url',
  );
}

describe('attenuate', () => {
  it('adds limits that the issuer would have signed', () => {
    const key = Buffer.alloc(32, 1);
    const found = attenuate(macaroon(key, ['path:/']), ['activity:DOWNLOAD', 'path:/a b']);
    expect(found).toBe(macaroon(key, ['path:/', 'activity:DOWNLOAD', 'path:/a b']));
  });

  it.each(['', 'abc', 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln', Buffer.from('0010location ab').toString('base64url')])(
    'returns nothing for another token: %j',
    (token) => {
      expect(attenuate(token, ['path:/a'])).toBeUndefined();
    },
  );
});
