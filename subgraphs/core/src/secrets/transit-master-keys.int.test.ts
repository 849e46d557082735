import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { transitMasterKeys } from './transit-master-keys.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The HTTP API of a transit engine, with real encryption. */
class TransitServer {
  readonly #keys = [randomBytes(32)];
  readonly server: Server = createServer((request, response) => {
    void this.#answer(request).then(([status, body]) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    );
  });

  rotate(): void {
    this.#keys.push(randomBytes(32));
  }

  async #answer(request: IncomingMessage): Promise<readonly [number, object]> {
    if (request.headers['x-vault-token'] !== 'test-token') return [403, { errors: ['permission denied'] }];
    const body = JSON.parse((await textOf(request)) || '{}') as Record<string, string>;
    const context = Buffer.from(body['associated_data'] ?? '', 'base64');
    switch (`${request.method} ${request.url}`) {
      case 'GET /v1/transit/keys/rhizome':
        return [200, { data: { latest_version: this.#keys.length } }];
      case 'POST /v1/transit/encrypt/rhizome': {
        const nonce = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', this.#keys.at(-1) as Buffer, nonce).setAAD(context);
        const plain = Buffer.from(body['plaintext'] ?? '', 'base64');
        const bytes = [nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
        const ciphertext = `vault:v${this.#keys.length}:${Buffer.concat(bytes).toString('base64')}`;
        return [200, { data: { ciphertext } }];
      }
      case 'POST /v1/transit/decrypt/rhizome': {
        const [, version, data = ''] = (body['ciphertext'] ?? '').split(':');
        const bytes = Buffer.from(data, 'base64');
        const key = this.#keys[Number(version?.slice(1)) - 1] as Buffer;
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(context);
        decipher.setAuthTag(bytes.subarray(-16));
        const plain = decipher.update(bytes.subarray(12, -16));
        try {
          return [200, { data: { plaintext: Buffer.concat([plain, decipher.final()]).toString('base64') } }];
        } catch {
          return [400, { errors: ['cipher: message authentication failed'] }];
        }
      }
      default:
        return [404, { errors: [] }];
    }
  }
}

describe('transitMasterKeys', () => {
  it('wraps keys there, follows their rotation, and fails without an answer', async () => {
    const transit = new TransitServer();
    await new Promise<void>((resolve) => transit.server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(transit.server.address() as AddressInfo).port}`;
      const tokenFile = join(folder, 'token');
      await writeFile(tokenFile, 'test-token\n');
      const provider = transitMasterKeys({ url, key: 'rhizome', tokenFile });
      const key = randomBytes(32);
      const wrapped = await provider.wrap(key, 'context');
      expect(wrapped.keyId).toBe('transit:rhizome:v1');
      expect(await provider.unwrap(wrapped, 'context')).toEqual(key);
      await expect(provider.unwrap(wrapped, 'another')).rejects.toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
      });
      transit.rotate();
      expect(await provider.currentId()).toBe('transit:rhizome:v2');
      expect((await provider.wrap(key, 'context')).keyId).toBe('transit:rhizome:v2');
      expect(await provider.unwrap(wrapped, 'context')).toEqual(key);
      await writeFile(tokenFile, 'revoked');
      await expect(provider.wrap(key, 'context')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    } finally {
      transit.server.close();
    }
    expect(() => transitMasterKeys({ url: 'http://vault.example', key: 'k', tokenFile: 'f' })).toThrow(
      /not secure/,
    );
  });
});
