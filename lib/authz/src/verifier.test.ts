import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, type JSONWebKeySet, SignJWT } from 'jose';
import { createVerifier } from './verifier.js';

const issuer = 'https://issuer.example';
const start = new Date('2030-01-01T00:00:00Z');
const nowSeconds = start.getTime() / 1000;

let first: GenerateKeyPairResult;
let second: GenerateKeyPairResult;

beforeAll(async () => {
  first = await generateKeyPair('ES256', { extractable: true });
  second = await generateKeyPair('ES256', { extractable: true });
});

const publicSet = async (...pairs: GenerateKeyPairResult[]): Promise<JSONWebKeySet> => ({
  keys: await Promise.all(
    pairs.map(async ({ publicKey }) => ({ ...(await exportJWK(publicKey)), alg: 'ES256' })),
  ),
});

const goodClaims = {
  iss: issuer,
  aud: 'rhizome',
  sub: 'somebody@example',
  exp: nowSeconds + 600,
  rhizome: { kind: 'HUMAN', grants: [{ experiment: 'alpha', roles: ['USER'] }] },
};

const sign = (claims: object, pair = first): Promise<string> =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256' }).sign(pair.privateKey);

async function verifierOf(...pairs: GenerateKeyPairResult[]) {
  const clock = { at: start.getTime(), now: () => new Date(clock.at), monotonicMs: () => clock.at };
  const keys = { set: await publicSet(...pairs) };
  const verifier = createVerifier({ issuers: [{ issuer, jwks: () => keys.set }], clock, cacheSize: 2 });
  return { verifier, clock, keys };
}

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('verifier', () => {
  it('returns the principal of a valid token', async () => {
    const { verifier } = await verifierOf(first);
    const token = await sign(goodClaims);
    const principal = await verifier.verify(token);
    expect(principal).toMatchObject({
      kind: 'HUMAN',
      subject: 'somebody@example',
      grants: goodClaims.rhizome.grants,
    });
    expect(principal.expiresAt).toEqual(new Date((nowSeconds + 600) * 1000));
    expect(principal.token).toBe(token);
  });

  it.each<[string, object, RegExp]>([
    [
      'of another issuer',
      { ...goodClaims, iss: 'https://other.example' },
      /issuer "https:\/\/other.example" is not trusted/,
    ],
    ['without an issuer', { ...goodClaims, iss: undefined }, /issuer null is not trusted/],
    [
      'for another audience',
      { ...goodClaims, aud: 'elsewhere' },
      /its audience is "elsewhere"; expected "rhizome"/,
    ],
    ['without an audience', { ...goodClaims, aud: undefined }, /it has no claim "aud"/],
    ['that never ends', { ...goodClaims, exp: undefined }, /"exp"/],
    ['of nobody', { ...goodClaims, sub: undefined }, /"sub"/],
    ['without our claims', { ...goodClaims, rhizome: undefined }, /rhizome/],
    ['of an unknown kind', { ...goodClaims, rhizome: { kind: 'ROBOT', grants: [] } }, /rhizome\.kind/],
    [
      'with an unknown role',
      { ...goodClaims, rhizome: { kind: 'HUMAN', grants: [{ experiment: 'alpha', roles: ['KING'] }] } },
      /rhizome\.grants\.0\.roles\.0/,
    ],
    [
      'of an agent that acts for nobody',
      { ...goodClaims, rhizome: { kind: 'AGENT', grants: [] } },
      /acts for a human/,
    ],
    [
      'of a pilot without a queue',
      { ...goodClaims, rhizome: { kind: 'PILOT', grants: [] } },
      /pilot:<queue>/,
    ],
    [
      'of a service without a name',
      { ...goodClaims, rhizome: { kind: 'SERVICE', grants: [] } },
      /experiment:<name>/,
    ],
    ['that is not valid yet', { ...goodClaims, nbf: nowSeconds + 60 }, /"nbf"/],
  ])('rejects a token %s', async (_what, claims, message) => {
    const { verifier } = await verifierOf(first);
    await expect(verifier.verify(await sign(claims))).rejects.toThrow(refusal('UNAUTHENTICATED', message));
  });

  it('rejects a token with a foreign signature, a changed one, and text that is no token', async () => {
    const { verifier } = await verifierOf(first);
    const [head, , signature] = (await sign(goodClaims)).split('.');
    const forged = Buffer.from(JSON.stringify({ ...goodClaims, sub: 'root' })).toString('base64url');
    for (const token of [
      await sign(goodClaims, second),
      `${head}.${forged}.${signature}`,
      'junk',
      '',
      'a.b.c',
    ]) {
      await expect(verifier.verify(token)).rejects.toThrow(refusal('UNAUTHENTICATED', /not accepted/));
    }
  });

  it('rejects unsigned tokens and those signed with a shared secret', async () => {
    const { verifier } = await verifierOf(first);
    const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(first.publicKey)));
    const shared = await new SignJWT({ ...goodClaims }).setProtectedHeader({ alg: 'HS256' }).sign(secret);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const unsigned = `${part({ alg: 'none' })}.${part(goodClaims)}.`;
    await expect(verifier.verify(shared)).rejects.toThrow(refusal('UNAUTHENTICATED', /alg/));
    await expect(verifier.verify(unsigned)).rejects.toThrow(refusal('UNAUTHENTICATED', /not accepted/));
  });

  it('rejects an expired token as expired, seen before or not', async () => {
    const { verifier, clock } = await verifierOf(first);
    const token = await sign(goodClaims);
    const other = await sign({ ...goodClaims, sub: 'other' });
    await verifier.verify(token);
    clock.at += 600_000;
    await expect(verifier.verify(token)).rejects.toThrow(refusal('TOKEN_EXPIRED', /2030-01-01T00:10:00/));
    await expect(verifier.verify(other)).rejects.toThrow(refusal('TOKEN_EXPIRED', /2030-01-01T00:10:00/));
  });

  it('returns the same principal for the same token', async () => {
    const { verifier } = await verifierOf(first);
    const token = await sign(goodClaims);
    expect(await verifier.verify(token)).toBe(await verifier.verify(token));
  });

  it('caches at most the configured number of tokens and evicts the least recently used', async () => {
    const { verifier } = await verifierOf(first);
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((sub) => sign({ ...goodClaims, sub })));
    const seenA = await verifier.verify(a as string);
    const seenB = await verifier.verify(b as string);
    await verifier.verify(a as string);
    await verifier.verify(c as string);
    expect(await verifier.verify(a as string)).toBe(seenA);
    expect(await verifier.verify(b as string)).not.toBe(seenB);
  });

  it('clears its cache when the keys change, and uses the new keys', async () => {
    const { verifier, keys } = await verifierOf(first);
    const token = await sign(goodClaims);
    await verifier.verify(token);
    keys.set = await publicSet(second);
    await expect(verifier.verify(token)).rejects.toThrow(refusal('UNAUTHENTICATED', /signature/));
    await expect(verifier.verify(await sign(goodClaims, second))).resolves.toMatchObject({ kind: 'HUMAN' });
  });

  it('keeps the token out of its errors', async () => {
    const { verifier } = await verifierOf(first);
    const token = await sign({ ...goodClaims, aud: 'elsewhere' });
    const error = (await verifier.verify(token).catch((thrown: unknown) => thrown)) as Error;
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain(token);
  });

  it('requires exactly one source of keys per issuer', () => {
    expect(() => createVerifier({ issuers: [{ issuer }] })).toThrow(
      refusal('CONFIG_INVALID', /jwksUri or jwks/),
    );
  });
});
