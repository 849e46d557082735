import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, type JSONWebKeySet, SignJWT } from 'jose';
import type { IssuerConstraints } from './issuer-constraints.js';
import { permissionsOf } from './permissions.js';
import type { Principal } from './principal.js';
import { createVerifier, type VerifierOptions } from './verifier.js';

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
  iat: nowSeconds,
  jti: 'token-1',
  rhizome: { kind: 'HUMAN', grants: [{ experiment: 'alpha', roles: ['USER'] }] },
};

const sign = (claims: object, pair = first, header: object = {}): Promise<string> =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header })
    .sign(pair.privateKey);

/** Good claims with another `rhizome` claim. */
const withGrant = (kind: string, experiment: string, ...roles: string[]): object => ({
  ...goodClaims,
  rhizome: { kind, grants: [{ experiment, roles }] },
});

async function verifierOf(...pairs: GenerateKeyPairResult[]) {
  const clock = { at: start.getTime(), now: () => new Date(clock.at), monotonicMs: () => clock.at };
  const keys = { set: await publicSet(...pairs) };
  const verifier = createVerifier({ issuers: [{ issuer, jwks: () => keys.set }], clock, cacheSize: 2 });
  return { verifier, clock, keys };
}

/** A verifier of the first key's tokens with constraints of their issuer, or other options. */
async function verifierWith(constraints: IssuerConstraints, options: Partial<VerifierOptions> = {}) {
  const jwks = await publicSet(first);
  const clock = { now: () => start, monotonicMs: () => 0 };
  return createVerifier({ issuers: [{ issuer, jwks, ...constraints }], clock, ...options });
}

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('verifier', () => {
  it('reads a token that its issuer has delegated to software as limited', async () => {
    const { verifier } = await verifierOf(first);
    expect(await verifier.verify(await sign({ ...goodClaims, act: { sub: 'assistant' } }))).toMatchObject({
      ...{ kind: 'HUMAN', limited: true },
    });
    expect((await verifier.verify(await sign(goodClaims))).limited).toBeUndefined();
  });

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
    ['that is not valid yet', { ...goodClaims, nbf: nowSeconds + 61 }, /"nbf"/],
    ['without a time of issue', { ...goodClaims, iat: undefined }, /"iat"/],
    ['without an id', { ...goodClaims, jti: undefined }, /"jti"/],
    ['that ends after all dates', { ...goodClaims, exp: 1e15 }, /exp: /],
    ['that ends at no number', { ...goodClaims, exp: 1e300 }, /exp: /],
    ['that is valid for too long', { ...goodClaims, exp: nowSeconds + 6 * 3600 + 1 }, /at most 21600 s/],
    ['of the future', { ...goodClaims, iat: nowSeconds + 61 }, /issued in the future/],
    ['that ends before it starts', { ...goodClaims, iat: nowSeconds + 30, exp: nowSeconds + 20 }, /before/],
    ['with NUL in its subject', { ...goodClaims, sub: 'a\u0000b' }, /sub: .*control/],
    ['with a direction mark in its subject', { ...goodClaims, sub: '\u202Eadmin' }, /sub: .*invisible/],
    ['of a human who is named as a pilot', { ...goodClaims, sub: 'pilot:QA' }, /"pilot:" is not a HUMAN/],
    [
      'of a human who is named as a service',
      { ...goodClaims, sub: 'experiment:alpha' },
      /"experiment:" is not a HUMAN/,
    ],
    [
      'of an agent of a service',
      { ...goodClaims, rhizome: { kind: 'AGENT', grants: [], actsFor: 'experiment:alpha' } },
      /"experiment:"/,
    ],
    ['of a human who names a queue', { ...goodClaims, queue: 'main' }, /queue: only/],
    ['of a human who names a worker', { ...goodClaims, wid: 'wrk_1' }, /wid: only/],
    [
      'of a human with the claims of a call',
      { ...goodClaims, rhizome: { ...goodClaims.rhizome, call: { service: 'alpha' } } },
      /call: only a call token/,
    ],
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

  it.each([
    ['without a type', {}, /type is null/],
    ['of another use', { typ: 'JWT' }, /type is "JWT"; expected "at\+jwt"/],
    ['of a worker', { typ: 'rhizome-worker+jwt' }, /pilot|worker/],
    ['of an attempt', { typ: 'rhizome-attempt+jwt' }, /ATTEMPT token .* not accepted here/],
    ['of a call', { typ: 'rhizome-call+jwt' }, /may not issue CALL tokens/],
  ])('rejects as an access token one %s', async (_what, header, message) => {
    const verifier = await verifierWith({});
    const token = await new SignJWT({ ...goodClaims })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .sign(first.privateKey);
    await expect(verifier.verify(token)).rejects.toThrow(refusal('UNAUTHENTICATED', message));
  });

  it('accepts an untyped token of an issuer that is known to write them', async () => {
    const verifier = await verifierWith({ untyped: true });
    await expect(verifier.verify(await sign(goodClaims, first, { typ: 'JWT' }))).resolves.toMatchObject({
      tokenKind: 'USER',
    });
  });

  it('rejects a token with critical extensions', async () => {
    const verifier = await verifierWith({});
    const token = await new SignJWT({ ...goodClaims })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', crit: ['b64'], b64: true })
      .sign(first.privateKey);
    await expect(verifier.verify(token)).rejects.toThrow(refusal('UNAUTHENTICATED', /"crit"/));
  });

  it('accepts only the kinds it was created for', async () => {
    const worker = {
      ...goodClaims,
      sub: 'worker:wrk_1',
      wid: 'wrk_1',
      queue: 'main',
      cnf: { jkt: 'k'.repeat(43) },
      rhizome: { kind: 'PILOT', grants: [{ experiment: '*', roles: ['PILOT'] }] },
    };
    const token = await sign(worker, first, { typ: 'rhizome-worker+jwt' });
    await expect((await verifierWith({})).verify(token)).rejects.toThrow(/WORKER token .* not accepted here/);
    const workers = await verifierWith({}, { kinds: ['WORKER'] });
    await expect(workers.verify(token)).resolves.toMatchObject({
      tokenKind: 'WORKER',
      worker: 'wrk_1',
      queue: 'main',
      tokenId: 'token-1',
      issuer,
      issuedAt: start,
      keyThumbprint: 'k'.repeat(43),
    });
    await expect(workers.verify(await sign(goodClaims))).rejects.toThrow(/USER token .* not accepted here/);
  });

  it('reads the attempt of an attempt token', async () => {
    const verifier = await verifierWith({}, { kinds: ['ATTEMPT'] });
    const attempt = { jobId: 'job_1', attempt: 2, fence: 7 };
    const token = await sign({ ...goodClaims, attempt }, first, { typ: 'rhizome-attempt+jwt' });
    await expect(verifier.verify(token)).resolves.toMatchObject({ tokenKind: 'ATTEMPT', attempt });
  });

  it.each<[string, IssuerConstraints, object, RegExp]>([
    [
      'another kind',
      { kinds: ['USER'] },
      { ...goodClaims, sub: 'pilot:q', ...{ rhizome: { kind: 'PILOT', grants: [] } } },
      /may not issue QUEUE/,
    ],
    [
      'another experiment',
      { experiments: ['alpha'] },
      withGrant('HUMAN', 'beta', 'USER'),
      /may not grant in "beta"/,
    ],
    [
      'every experiment',
      { experiments: ['alpha'] },
      withGrant('HUMAN', '*', 'USER'),
      /may not grant in "\*"/,
    ],
    ['another role', { roles: ['USER'] }, withGrant('HUMAN', 'alpha', 'ADMIN'), /may not grant ADMIN/],
    ['a longer life', { maxLifetimeSeconds: 300 }, goodClaims, /at most 300 s/],
    ['another audience', { audiences: ['https://site.example'] }, goodClaims, /expected "https:\/\/site/],
    ['a clock that is ahead', { toleranceSeconds: 0 }, { ...goodClaims, iat: nowSeconds + 1 }, /future/],
    ['anything by an issuer with an alias', { alias: 'vo' }, goodClaims, /may not grant in "alpha"/],
    [
      'a pilot by an issuer with an alias',
      { alias: 'vo', experiments: '*' },
      { ...goodClaims, sub: 'pilot:q', ...{ rhizome: { kind: 'PILOT', grants: [] } } },
      /may not issue QUEUE/,
    ],
    [
      'ADMIN by an issuer with an alias',
      { alias: 'vo', experiments: '*' },
      withGrant('HUMAN', 'alpha', 'ADMIN'),
      /may not grant ADMIN/,
    ],
  ])('rejects %s beyond the constraints of the issuer', async (_what, constraints, claims, message) => {
    const verifier = await verifierWith(constraints);
    await expect(verifier.verify(await sign(claims))).rejects.toThrow(refusal('UNAUTHENTICATED', message));
  });

  it('distinguishes equal subjects of two issuers', async () => {
    const other = 'https://vo.example';
    const foreign = { issuer: other, jwks: await publicSet(second), alias: 'vo', experiments: ['alpha'] };
    const own = { issuer, jwks: await publicSet(first) };
    const verifier = createVerifier({
      issuers: [own, foreign],
      clock: { now: () => start, monotonicMs: () => 0 },
    });
    const subjects = [await sign(goodClaims), await sign({ ...goodClaims, iss: other }, second)];
    const [plain, qualified] = await Promise.all(subjects.map((token) => verifier.verify(token)));
    expect([plain?.subject, qualified?.subject]).toEqual(['somebody@example', 'vo:somebody@example']);
    const copied = await sign({ ...goodClaims, sub: 'vo:somebody@example' });
    await expect(verifier.verify(copied)).rejects.toThrow(/belong to another issuer/);
    expect(() => createVerifier({ issuers: [own, { ...foreign, alias: undefined }] })).toThrow(
      refusal('CONFIG_INVALID', /more than one issuer has no alias/),
    );
  });

  it('limits the actions of a token to those it names', async () => {
    const verifier = await verifierWith({});
    const rhizome = { ...goodClaims.rhizome, actions: ['job:read'] };
    const principal = await verifier.verify(await sign({ ...goodClaims, rhizome }));
    expect([...permissionsOf(principal).keys()]).toEqual(['job:read']);
  });

  it('rejects a revoked token, seen before or not', async () => {
    const revoked = new Set<string>();
    const isRevoked = ({ tokenId = '' }: Principal): boolean => revoked.has(tokenId);
    const verifier = await verifierWith({}, { revocations: { isRevoked, onChange: () => () => undefined } });
    const seen = await sign(goodClaims);
    await verifier.verify(seen);
    revoked.add('token-1');
    await expect(verifier.verify(seen)).rejects.toThrow(refusal('TOKEN_REVOKED', /revoked/));
    const other = await sign({ ...goodClaims, sub: 'other' });
    await expect(verifier.verify(other)).rejects.toThrow(refusal('TOKEN_REVOKED', /revoked/));
  });

  it('refuses garbage again for a second without a check', async () => {
    const { verifier, clock, keys } = await verifierOf(first);
    const token = await sign(goodClaims, second);
    await expect(verifier.verify(token)).rejects.toThrow(/signature/);
    keys.set = await publicSet(second);
    clock.at += 999;
    await expect(verifier.verify(token)).rejects.toThrow(/signature/);
    clock.at += 2;
    await expect(verifier.verify(token)).resolves.toMatchObject({ kind: 'HUMAN' });
  });

  it('caches at most the configured number of bytes', async () => {
    const verifier = await verifierWith({}, { cacheBytes: 4000 });
    const [a, b] = await Promise.all(
      ['a', 'b'].map((sub) => sign({ ...goodClaims, sub, pad: 'x'.repeat(500) })),
    );
    const seen = await verifier.verify(a as string);
    expect(await verifier.verify(a as string)).toBe(seen);
    await verifier.verify(b as string);
    expect(await verifier.verify(a as string)).not.toBe(seen);
  });

  it.each([
    ['https://issuer.example/jwks', false, true],
    ['http://127.0.0.1:1/jwks', false, true],
    ['http://[::1]:1/jwks', false, true],
    ['http://issuer.example/jwks', false, false],
    ['http://127.0.0.1.example/jwks', false, false],
    ['http://issuer.example/jwks', true, true],
    ['ftp://issuer.example/jwks', true, false],
  ])(
    'decides whether keys may come from %s (insecureTransport: %p)',
    (jwksUri, insecureTransport, isAccepted) => {
      const create = () => createVerifier({ issuers: [{ issuer, jwksUri, insecureTransport }] });
      if (isAccepted) expect(create).not.toThrow();
      else expect(create).toThrow(refusal('CONFIG_INVALID', /issuers\.jwksUri: /));
    },
  );

  it('requires exactly one source of keys per issuer', () => {
    expect(() => createVerifier({ issuers: [{ issuer }] })).toThrow(
      refusal('CONFIG_INVALID', /jwksUri or jwks/),
    );
  });
});
