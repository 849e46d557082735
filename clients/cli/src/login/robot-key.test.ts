import { createProofKey } from '@rhizome/client';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createKeyFile, readKeyFile } from './robot-key.js';

const key = createProofKey();
let folder: string;

/** A file that only this user may read. */
const fileWith = (text: string): string => {
  const path = join(folder, 'key.json');
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'robot-key-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('readKeyFile', () => {
  it('reads what createKeyFile wrote', () => {
    const path = join(folder, 'made.json');
    const { x, y } = createKeyFile(path);
    expect(readKeyFile(path).export()).toMatchObject({ x, y });
  });

  it('accepts further members of a JSON Web Key', () => {
    const text = JSON.stringify({ ...key.export(), kid: 'nightly', alg: 'ES256' });
    expect(readKeyFile(fileWith(text)).thumbprint).toBe(key.thumbprint);
  });

  it.each([
    ['no JSON', 'x'],
    ['null', 'null'],
    ['a public key', JSON.stringify({ ...key.export(), d: undefined })],
    ['another curve', JSON.stringify({ ...key.export(), crv: 'P-384' })],
    ['another type', JSON.stringify({ ...key.export(), kty: 'OKP' })],
    ['no point', JSON.stringify({ ...key.export(), x: undefined })],
    ['a member of another type', JSON.stringify({ ...key.export(), y: 7 })],
  ])('refuses a file with %s', (_content, text) => {
    const path = fileWith(text);
    const message = `Key file ${path} cannot be used: it has no private P-256 key as JSON Web Key`;
    expect(() => readKeyFile(path)).toThrow(message);
  });

  it('refuses a file that others may read, and one that does not exist', () => {
    const path = fileWith(JSON.stringify(key.export()));
    chmodSync(path, 0o644);
    expect(() => readKeyFile(path)).toThrow('others may read it; make it 0600');
    rmSync(path);
    expect(() => readKeyFile(path)).toThrow('it does not exist');
  });
});
