// Proofs are made by a library that nobody here wrote, and each verdict is compared with that library's own.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { ensureCollections } from '@rhizome/mongo';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase } from '@rhizome/testkit';
import {
  calculateJwkThumbprint,
  type CryptoKey,
  decodeJwt,
  exportJWK,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
} from 'jose';
import * as oauth from 'oauth4webapi';
import { createProofVerifier, type UsedProofs } from './proof-verifier.js';
import { usedProofsCollection } from './used-proof.document.js';
import { UsedProofsRepository } from './used-proofs.repository.js';

/** The memory of one process. */
function inMemory(): UsedProofs {
  const used = new Set<string>();
  return { use: (id) => Promise.resolve(!used.has(id) && used.add(id).has(id)) };
}

async function collectionsIn(db: TestDb): Promise<TestDb> {
  await ensureCollections(db, [usedProofsCollection], { log: silentLogger() });
  return db;
}

type TestDb = Awaited<ReturnType<typeof testDatabase>>;

interface Key {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

const url = 'https://rhizome.test/graphql';

describe('ProofVerifier', () => {
  let server: oauth.AuthorizationServer;
  let key: Key;
  let thumbprint: string;
  let token: string;
  beforeAll(async () => {
    const issuerKey = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(issuerKey.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' };
    const http = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [jwk] }));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    leftovers.defer(
      'the keys',
      () => new Promise<void>((resolve) => void (http.close(() => resolve()), http.closeAllConnections())),
    );
    const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    server = { issuer, jwks_uri: `${issuer}/jwks` };
    key = await generateKeyPair('ES256', { extractable: true });
    thumbprint = await calculateJwkThumbprint(await exportJWK(key.publicKey));
    token = await new SignJWT({ cnf: { jkt: thumbprint }, client_id: 'test' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience('rhizome')
      .setSubject('worker')
      .setJti('1')
      .setIssuedAt()
      .setExpirationTime('10 minutes')
      .sign(issuerKey.privateKey);
  });

  /** A proof as the library makes it for a request with a token. */
  async function proofOf(by: Key, method = 'POST', address = url, accessToken = token): Promise<string> {
    let sent: string | null = null;
    const dpop = oauth.DPoP({}, by);
    await oauth.protectedResourceRequest(accessToken, method, new URL(address), new Headers(), null, {
      DPoP: dpop,
      [oauth.customFetch]: (_url, { headers }) => {
        sent = new Headers(headers).get('dpop');
        return Promise.resolve(new Response('{}'));
      },
    });
    return sent ?? '';
  }

  /** A proof with other claims or another header, signed all the same. */
  async function changed(claims: JWTPayload, header: object = {}, by: Key = key): Promise<string> {
    const original = decodeJwt(await proofOf(key));
    const payload = Object.fromEntries(
      Object.entries({ ...original, ...claims }).filter(([, value]) => value !== undefined),
    );
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(by.publicKey), ...header })
      .sign(by.privateKey);
  }

  const ours = (proof: string) =>
    createProofVerifier(systemClock, inMemory())
      .verify(proof, { method: 'POST', urls: [url], token })
      .then(
        (found) => found === thumbprint,
        () => false,
      );
  const theirs = (proof: string) =>
    oauth
      .validateJwtAccessToken(
        server,
        new Request(url, { method: 'POST', headers: { authorization: `DPoP ${token}`, dpop: proof } }),
        'rhizome',
        { requireDPoP: true, [oauth.allowInsecureRequests]: true },
      )
      .then(
        () => true,
        () => false,
      );

  it.each<[string, boolean, () => Promise<string>]>([
    ['a proof as it should be', true, () => proofOf(key)],
    ['another key', false, async () => proofOf(await generateKeyPair('ES256', { extractable: true }))],
    ['another method', false, () => proofOf(key, 'GET')],
    ['another path', false, () => proofOf(key, 'POST', 'https://rhizome.test/oauth/token')],
    ['another host', false, () => proofOf(key, 'POST', 'https://elsewhere.test/graphql')],
    ['another scheme', false, () => changed({ htu: 'http://rhizome.test/graphql' })],
    ['a query in the address, which does not count', true, () => changed({ htu: `${url}?a=b` })],
    ['another token', false, () => proofOf(key, 'POST', url, `${token}x`)],
    ['no digest of the token', false, () => changed({ ath: undefined })],
    ['no jti', false, () => changed({ jti: undefined })],
    ['an old proof', false, () => changed({ iat: Math.floor(Date.now() / 1000) - 400 })],
    ['a proof of the future', false, () => changed({ iat: Math.floor(Date.now() / 1000) + 400 })],
    ['another type', false, () => changed({}, { typ: 'at+jwt' })],
    [
      'a key in the header that did not sign',
      false,
      async () =>
        changed(
          {},
          { jwk: await exportJWK((await generateKeyPair('ES256', { extractable: true })).publicKey) },
        ),
    ],
    ['a private key in the header', false, async () => changed({}, { jwk: await exportJWK(key.privateKey) })],
    ['text', false, () => Promise.resolve('x.y.z')],
  ])('agrees with the library about %s', async (_, isAccepted, make) => {
    const proof = await make();
    expect({ ours: await ours(proof), theirs: await theirs(proof) }).toEqual({
      ours: isAccepted,
      theirs: isAccepted,
    });
  });

  it('accepts a proof once', async () => {
    const verifier = createProofVerifier(systemClock, inMemory());
    const proof = await proofOf(key);
    const request = { method: 'POST', urls: [url], token };
    expect(await verifier.verify(proof, request)).toBe(thumbprint);
    await expect(verifier.verify(proof, request)).rejects.toThrow(/was used before/);
    const bound = await changed({ nonce: verifier.nonce, jti: 'bound' });
    expect(await verifier.verify(bound, request)).toBe(thumbprint);
    await expect(verifier.verify(bound, request)).rejects.toThrow(/was used before/);
  });

  it('forgets no proof for another one when its memory is full', async () => {
    let written = 0;
    const store = inMemory();
    const shared: UsedProofs = { use: (...given) => (written++, store.use(...given)) };
    const verifier = createProofVerifier(systemClock, shared, 2);
    const request = { method: 'POST', urls: [url], token };
    const proofs = await Promise.all(
      ['1', '2', '3', '4'].map((jti) => changed({ nonce: verifier.nonce, jti })),
    );
    for (const proof of proofs) expect(await verifier.verify(proof, request)).toBe(thumbprint);
    // The store remembers those that do not fit.
    expect(written).toBe(2);
    for (const proof of proofs)
      await expect(verifier.verify(proof, request)).rejects.toThrow(/was used before/);
  });

  it('does not count a proof as used that was only checked', async () => {
    const verifier = createProofVerifier(systemClock, inMemory());
    const proof = await proofOf(key);
    const request = { method: 'POST', urls: [url], token };
    await verifier.check(proof, request);
    const checked = await verifier.check(proof, request);
    await checked.use();
    await checked.use();
    await expect(verifier.verify(proof, request)).rejects.toThrow(/was used before/);
  });

  it('accepts a proof once in all processes on one store', async () => {
    const proofs = new UsedProofsRepository(await collectionsIn(await testDatabase('proofs')));
    const [here, there] = [
      createProofVerifier(systemClock, proofs),
      createProofVerifier(systemClock, proofs),
    ];
    const request = { method: 'POST', urls: [url], token };
    const proof = await proofOf(key);
    const both = await Promise.allSettled([here.verify(proof, request), there.verify(proof, request)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const bound = await changed({ nonce: here.nonce, jti: 'bound' });
    expect(await here.verify(bound, request)).toBe(thumbprint);
    await expect(there.verify(bound, request)).rejects.toMatchObject({ details: { field: 'dpop.nonce' } });
  });

  it('compares the nonce before it verifies the signature', async () => {
    const verifier = createProofVerifier(systemClock, inMemory());
    const [header, payload] = (await changed({ nonce: 'x' })).split('.');
    const unsigned = `${header}.${payload}.${'A'.repeat(86)}`;
    await expect(verifier.check(unsigned, { method: 'POST', urls: [url], token })).rejects.toMatchObject({
      details: { field: 'dpop.nonce' },
    });
  });
});
