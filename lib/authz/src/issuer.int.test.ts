import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTokenIssuer, type TokenIssuer } from './issuer.js';
import { createVerifier } from './verifier.js';

const issuer = 'https://issuer.example';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rhizome-authz-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const mint = (from: TokenIssuer) =>
  from.mint({
    subject: 'pilot:main',
    kind: 'PILOT',
    grants: [{ experiment: '*', roles: ['PILOT'] }],
    ttlSeconds: 60,
  });

describe('token issuer', () => {
  it('creates its key once, readable by its owner only, and uses it again after a restart', async () => {
    const keyFile = join(folder, 'new', 'key.json');
    const before = await createTokenIssuer({ keyFile, issuer });
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    const after = await createTokenIssuer({ keyFile, issuer });
    expect(after.jwks()).toEqual(before.jwks());
    const verifier = createVerifier({ issuers: [{ issuer, jwks: after.jwks() }] });
    expect(await verifier.verify(await mint(before))).toMatchObject({
      subject: 'pilot:main',
      queue: 'main',
      tokenKind: 'QUEUE',
      tokenId: expect.any(String),
      issuedAt: expect.any(Date),
    });
  });

  it('publishes the public half only', async () => {
    const keyFile = join(folder, 'published.json');
    const jwks = (await createTokenIssuer({ keyFile, issuer })).jwks();
    const { d } = JSON.parse(await readFile(keyFile, 'utf8')) as { d: string };
    expect(d).toBeTruthy();
    expect(JSON.stringify(jwks)).not.toContain(d);
    expect(jwks.keys[0]).not.toHaveProperty('d');
  });

  it('agrees on one key when several start at once', async () => {
    const keyFile = join(folder, 'many', 'key.json');
    const started = await Promise.allSettled([1, 2, 3].map(() => createTokenIssuer({ keyFile, issuer })));
    const sets = started.map((one) =>
      one.status === 'fulfilled' ? JSON.stringify(one.value.jwks()) : one.reason,
    );
    expect(new Set(sets).size).toBe(1);
    expect(await readdir(join(folder, 'many'))).toEqual(['key.json']);
  });

  it('rejects a key that others can read, and a file that is no key', async () => {
    const open = join(folder, 'open.json');
    await createTokenIssuer({ keyFile: open, issuer });
    await chmod(open, 0o644);
    await expect(createTokenIssuer({ keyFile: open, issuer })).rejects.toThrow(/mode is 0644/);
    const junk = join(folder, 'junk.json');
    await writeFile(junk, '{"kty":"oct"}', { mode: 0o600 });
    await expect(createTokenIssuer({ keyFile: junk, issuer })).rejects.toThrow(/no private P-256 JWK/);
  });
});

describe('key URL', () => {
  let server: Server;
  let jwksUri: string;
  let published: object | undefined;
  let asked = 0;

  beforeAll(async () => {
    server = createServer((_request, response) => {
      asked += 1;
      response.writeHead(published ? 200 : 503, { 'content-type': 'application/json' });
      response.end(JSON.stringify(published ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
  });

  it('reports unreachable keys as an error of the service, not of the caller, and is fetched once', async () => {
    const from = await createTokenIssuer({ keyFile: join(folder, 'remote.json'), issuer });
    const verifier = createVerifier({ issuers: [{ issuer, jwksUri }] });
    const token = await mint(from);
    await expect(verifier.verify(token)).rejects.toThrow(
      expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }),
    );
    published = from.jwks();
    asked = 0;
    const principal = await verifier.verify(token);
    expect(await verifier.verify(token)).toBe(principal);
    await verifier.verify(await mint(from));
    expect(asked).toBe(1);
  });

  it('rejects tokens of an unknown key', async () => {
    const known = await createTokenIssuer({ keyFile: join(folder, 'known.json'), issuer });
    const unknown = await createTokenIssuer({ keyFile: join(folder, 'unknown.json'), issuer });
    published = known.jwks();
    const verifier = createVerifier({ issuers: [{ issuer, jwksUri }] });
    await expect(verifier.verify(await mint(unknown))).rejects.toThrow(
      expect.objectContaining({ code: 'UNAUTHENTICATED' }),
    );
  });

  it('keeps keys that cannot be fetched again for a day, and no longer', async () => {
    const from = await createTokenIssuer({ keyFile: join(folder, 'withdrawn.json'), issuer });
    published = from.jwks();
    const later = jest.spyOn(performance, 'now');
    try {
      const verifier = createVerifier({ issuers: [{ issuer, jwksUri }] });
      const token = await mint(from);
      await verifier.verify(token);
      published = undefined;
      const startedAt = performance.now();
      later.mockImplementation(() => startedAt + 23 * 3_600_000);
      await expect(verifier.verify(token)).resolves.toMatchObject({ queue: 'main' });
      later.mockImplementation(() => startedAt + 25 * 3_600_000);
      await expect(verifier.verify(token)).rejects.toThrow(
        expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }),
      );
      published = from.jwks();
      await expect(verifier.verify(token)).resolves.toMatchObject({ queue: 'main' });
    } finally {
      later.mockRestore();
    }
  });
});
