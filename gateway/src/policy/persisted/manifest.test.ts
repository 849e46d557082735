import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { readManifest } from './manifest.js';

const folder = mkdtempSync(join(tmpdir(), 'rhizome-manifest-'));
afterAll(() => rmSync(folder, { recursive: true }));

const body = 'query Items { items { id } }';
const id = createHash('sha256').update(body).digest('hex');
const manifest = (operations: readonly object[], over: object = {}): string => {
  const file = join(folder, 'manifest.json');
  const content = { format: 'apollo-persisted-query-manifest', version: 1, operations, ...over };
  writeFileSync(file, JSON.stringify(content));
  return file;
};

describe('readManifest', () => {
  it('reads a file as builds of clients write it', () => {
    const file = manifest([{ id, name: 'Items', type: 'query', body }]);
    expect(readManifest(file)).toEqual([{ id, body }]);
  });

  it.each<[string, () => string, string]>([
    ['of another format', () => manifest([], { format: 'relay' }), 'not a manifest'],
    ['with an id that is not the hash', () => manifest([{ id: 'items', body }]), 'is not the SHA-256'],
    ['that does not exist', () => join(folder, 'none.json'), 'ENOENT'],
  ])('refuses a file %s', (_what, fileOf, reason) => {
    expect(() => readManifest(fileOf())).toThrow(reason);
  });
});
