// cspell:ignore Jlbm nimda
/** Tokens that nobody may accept, presented at every entry point. */
import {
  constants,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttackSystem } from './attack-system.js';
import { type AttackCase, headersOf } from './case.js';
import { http, send } from './http.js';

type Json = Readonly<Record<string, unknown>>;

interface Key {
  readonly jwk: Record<string, string>;
  readonly key: KeyObject;
  readonly kid: string;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = (now: number): Json => ({
  ...{
    iss: 'rhizome-playground',
    aud: 'rhizome',
    sub: 'thief@attack',
    jti: 'attack',
    iat: now,
    exp: now + 600,
  },
  rhizome: { kind: 'HUMAN', grants: [{ experiment: '*', roles: ['ADMIN'] }] },
});

/** The issuer's own key, as only the issuer has it: with it, a token is wrong in one point alone. */
async function issuerKey({ services }: AttackSystem): Promise<Key> {
  const text = await readFile(join(services.data, 'token-key.json'), 'utf8');
  const jwk = JSON.parse(text) as Record<string, string>;
  const { keys } = services.identities.issuer.jwks();
  return { jwk, key: createPrivateKey({ key: jwk, format: 'jwk' }), kid: String(keys[0]?.kid) };
}

function signed(header: Json, payload: Json, key: KeyObject): string {
  const text = `${encode(header)}.${encode(payload)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** A token of the true issuer with some claims changed. */
const withClaims =
  (change: (now: number) => Json, header: Json = {}) =>
  async (system: AttackSystem): Promise<string> => {
    const { key, kid } = await issuerKey(system);
    const now = Math.floor(Date.now() / 1000);
    const payload = { ...claims(now), ...change(now) };
    return signed({ alg: 'ES256', typ: 'rhizome-user+jwt', kid, ...header }, payload, key);
  };

/** A token of nobody, made from the header and with a signature. */
const forged =
  (header: Json, signature: (text: string, key: Key) => string) =>
  async (system: AttackSystem): Promise<string> => {
    const key = await issuerKey(system);
    const now = Math.floor(Date.now() / 1000);
    const text = `${encode({ typ: 'rhizome-user+jwt', kid: key.kid, ...header })}.${encode(claims(now))}`;
    return `${text}.${signature(text, key)}`;
  };

const publicJwk = ({ jwk }: Key): string =>
  JSON.stringify({ kty: jwk['kty'], crv: jwk['crv'], x: jwk['x'], y: jwk['y'] });
const hmac = (text: string, secret: string): string =>
  createHmac('sha256', secret).update(text).digest('base64url');
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ownSigned = (text: string): string =>
  sign('sha256', Buffer.from(text), { key: own.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaSigned = (text: string): string =>
  sign('sha256', Buffer.from(text), { key: rsa.privateKey, padding: constants.RSA_PKCS1_PADDING }).toString(
    'base64url',
  );

type Maker = (system: AttackSystem) => Promise<string>;

const forgeries: readonly (readonly [string, Maker])[] = [
  ...['none', 'None', 'NONE', 'nOnE', ''].map(
    (alg) => [`without a signature (alg "${alg}")`, forged({ alg }, () => '')] as const,
  ),
  ['with a secret of the public key', forged({ alg: 'HS256' }, (text, key) => hmac(text, publicJwk(key)))],
  ['with an empty secret', forged({ alg: 'HS256' }, (text) => hmac(text, '\0'))],
  [
    'with a key of its own in the header',
    forged({ alg: 'ES256', jwk: own.publicKey.export({ format: 'jwk' }) }, ownSigned),
  ],
  ['with an address of keys', forged({ alg: 'ES256', jku: 'http://127.0.0.1:9/jwks' }, ownSigned)],
  ['with an address of a certificate', forged({ alg: 'ES256', x5u: 'http://127.0.0.1:9/c' }, ownSigned)],
  ['with a path as the key', forged({ alg: 'ES256', kid: '../../../../dev/null' }, ownSigned)],
  ['with a statement as the key', forged({ alg: 'ES256', kid: "' OR 1=1 --" }, ownSigned)],
  ['of another key under the same name', forged({ alg: 'ES256' }, ownSigned)],
  ['with an RSA signature', forged({ alg: 'RS256' }, rsaSigned)],
  ['with a signature of zeros', forged({ alg: 'ES256' }, () => Buffer.alloc(64).toString('base64url'))],
  ['with a short signature', forged({ alg: 'ES256' }, () => Buffer.alloc(8).toString('base64url'))],
  ['with an unknown critical header', withClaims(() => ({}), { crit: ['exp'], exp: 1 })],
  ['with an unencoded payload', withClaims(() => ({}), { crit: ['b64'], b64: false })],
  ['of an encrypted form', () => Promise.resolve('eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA')],
  ['of two parts', () => Promise.resolve('eyJhbGciOiJub25lIn0.e30')],
  ['of nothing but dots', () => Promise.resolve('..')],
  ['of 17 KiB', () => Promise.resolve(`${'a'.repeat(6000)}.${'b'.repeat(6000)}.${'c'.repeat(3000)}`)],
];

const wrongClaims: readonly (readonly [string, Maker])[] = [
  ['that ended', withClaims((now) => ({ iat: now - 7200, exp: now - 3600 }))],
  ['that never ends', withClaims(() => ({ exp: undefined }))],
  ['that ends after the sun', withClaims(() => ({ exp: 1e15 }))],
  ['that ends in words', withClaims(() => ({ exp: 'never' }))],
  ['that begins tomorrow', withClaims((now) => ({ nbf: now + 86_400 }))],
  ['that was issued tomorrow', withClaims((now) => ({ iat: now + 86_400, exp: now + 90_000 }))],
  ['that lives a year', withClaims((now) => ({ exp: now + 31_536_000 }))],
  ['for another audience', withClaims(() => ({ aud: 'another' }))],
  ['for no audience', withClaims(() => ({ aud: undefined }))],
  ['of another issuer', withClaims(() => ({ iss: 'https://evil.example' }))],
  ['of the gateway', withClaims(() => ({ iss: 'urn:rhizome:gateway' }))],
  ['without a subject', withClaims(() => ({ sub: undefined }))],
  ['with a subject that is a list', withClaims(() => ({ sub: ['a'] }))],
  ['with a NUL in its subject', withClaims(() => ({ sub: 'a\0b' }))],
  ['with a turned text in its subject', withClaims(() => ({ sub: 'user\u202Enimda' }))],
  ['of a human who calls itself a pilot', withClaims(() => ({ sub: 'pilot:citadel' }))],
  ['of a human who calls itself an experiment', withClaims(() => ({ sub: 'experiment:atlas' }))],
  ['of an unknown kind', withClaims(() => ({ rhizome: { kind: 'GOD', grants: [] } }))],
  [
    'with an unknown role',
    withClaims(() => ({ rhizome: { kind: 'HUMAN', grants: [{ experiment: '*', roles: ['ROOT'] }] } })),
  ],
  ['with grants that are a text', withClaims(() => ({ rhizome: { kind: 'HUMAN', grants: '*' } }))],
  ['without claims of Rhizome', withClaims(() => ({ rhizome: undefined }))],
  [
    'of an agent of nobody',
    withClaims(() => ({ rhizome: { kind: 'AGENT', grants: [{ experiment: '*', roles: ['ADMIN'] }] } })),
  ],
  ['for calls of a subgraph', withClaims(() => ({}), { typ: 'rhizome-call+jwt' })],
  ['for an attempt, without one', withClaims(() => ({}), { typ: 'rhizome-attempt+jwt' })],
  ['of another type', withClaims(() => ({}), { typ: 'id_token+jwt' })],
];

const ask = (name: string, make: Maker): AttackCase => ({
  name: `a token ${name}`,
  expected: { status: 401, code: ['UNAUTHENTICATED', 'TOKEN_EXPIRED'] },
  run: async (system) => {
    const token = await make(system);
    return send(system, { headers: { authorization: `Bearer ${token}` } });
  },
});

const headers: readonly (readonly [string, string | readonly string[]])[] = [
  ['no scheme', 'TOKEN'],
  ['the scheme Basic', 'Basic YWRtaW46YWRtaW4='],
  ['the scheme Digest', 'Digest username="admin"'],
  ['the scheme Negotiate', 'Negotiate YII='],
  ['a bearer of nothing', 'Bearer'],
  ['a bearer of a space', 'Bearer  '],
  ['two tokens', 'Bearer TOKEN, Bearer TOKEN'],
  ['a token and more', 'Bearer TOKEN admin'],
  ['the scheme DPoP without a proof', 'DPoP TOKEN'],
  ['a quoted token', 'Bearer "TOKEN"'],
];

const schemes: readonly AttackCase[] = headers.map(([what, value]) => ({
  name: `an authorization of ${what}`,
  expected: { status: 401, code: 'UNAUTHENTICATED' },
  run: (system) =>
    send(system, { headers: { authorization: String(value).replaceAll('TOKEN', system.tokens.everything) } }),
}));

const elsewhere: readonly AttackCase[] = [
  'cookie',
  'x-authorization',
  'proxy-authorization',
  'x-api-key',
  'x-forwarded-user',
].map((name) => ({
  name: `the token in the header ${name}`,
  expected: { status: 401, code: 'UNAUTHENTICATED' },
  run: async (system) => {
    const { authorization = '' } = await headersOf(system, 'everything');
    const token = authorization.slice('Bearer '.length);
    return send(system, { headers: { [name]: name === 'cookie' ? `token=${token}` : authorization } });
  },
}));

const kinds: readonly AttackCase[] = [
  http('a token of an attempt', { as: 'attempt' }, { status: 401 }),
  http('a call token at the gateway', { as: 'call' }, { status: 401 }),
  http('an expired token', { as: 'expired' }, { status: 401, code: 'TOKEN_EXPIRED' }),
  http('no token at all', {}, { status: 401, code: 'UNAUTHENTICATED' }),
];

/** All of them. */
export const tokenCases: readonly AttackCase[] = [
  ...[...forgeries, ...wrongClaims].map(([name, make]) => ask(name, make)),
  ...schemes,
  ...elsewhere,
  ...kinds,
];
