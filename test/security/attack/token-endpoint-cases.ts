/** The endpoints of tokens, which work for callers without one. */
import { randomUUID } from 'node:crypto';
import { createProofKey } from '@rhizome/testkit';
import type { AttackSystem } from './attack-system.js';
import { type Caller, callers } from './attackers.js';
import type { AttackCase, Expected } from './case.js';
import { type Attack, http, raw } from './http.js';

const form = 'application/x-www-form-urlencoded';
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const enrolment = 'urn:rhizome:params:oauth:grant-type:enrolment';
const workerGrant = 'urn:rhizome:params:oauth:grant-type:worker';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

const formOf = (fields: Readonly<Record<string, string>>): string => String(new URLSearchParams(fields));

const post = (
  name: string,
  fields: Readonly<Record<string, string>> | string | ((system: AttackSystem) => string),
  expected: Expected,
  { path = '/oauth/token', headers = {} }: { readonly path?: string; readonly headers?: object } = {},
): AttackCase =>
  http(
    name,
    {
      at: 'identities',
      path,
      headers: { 'content-type': form, ...headers },
      body: typeof fields === 'object' ? formOf(fields) : fields,
    },
    expected,
  );

const refused = { status: 400 } as const;

/** Claims that the robot under attack would sign. */
const claimsOf = ({ targets, origin }: AttackSystem): object => ({
  ...{ iss: targets.robot, sub: targets.robot, aud: origin('identities'), jti: randomUUID() },
  exp: Math.floor(Date.now() / 1000) + 300,
});
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (algorithm: string, claims: object): string =>
  `${encoded({ alg: algorithm })}.${encoded(claims)}.`;

const assertions: readonly (readonly [string, (claims: object) => string])[] = [
  ['of nothing', () => ''],
  ['that is longer than 4096 characters', () => 'a.'.repeat(5000)],
  ['without a signature', (claims) => unsigned('none', claims)],
  ['with a shared secret', (claims) => `${unsigned('HS256', claims)}AAAA`],
  ['by a key that nobody registered', (claims) => createProofKey().statement('JWT', claims)],
  ['by the name of a person', (claims) => createProofKey().statement('JWT', { ...claims, sub: 'usr_1' })],
];

/** Requests by somebody who knows a robot, and has none of its keys. */
const robots: readonly AttackCase[] = [
  post(
    'the secret of a client',
    ({ targets: { robot } }) =>
      formOf({ grant_type: 'client_credentials', client_id: robot, client_secret: 'admin' }),
    { status: 400, code: 'invalid_request' },
  ),
  ...assertions.map(([name, assertionOf]) =>
    post(
      `an assertion ${name}`,
      (system) =>
        formOf({
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertionOf(claimsOf(system)),
        }),
      { status: 400, code: 'invalid_client' },
    ),
  ),
];

const grants: readonly AttackCase[] = [
  post('a request for a token of nothing', '', refused),
  ...['password', 'authorization_code', 'implicit', '__proto__', 'constructor', 'a'.repeat(5000)].map(
    (grant) =>
      post(
        `the grant "${grant.slice(0, 40)}"`,
        { grant_type: grant, username: 'admin', password: 'admin' },
        { status: 400, code: 'unsupported_grant_type' },
      ),
  ),
  post('an exchange of nothing', { grant_type: exchange }, refused),
  post(
    'an exchange of nonsense',
    { grant_type: exchange, subject_token: 'x', subject_token_type: accessToken },
    refused,
  ),
  post(
    'an exchange of an unknown type',
    { grant_type: exchange, subject_token: 'x', subject_token_type: 'urn:x' },
    refused,
  ),
  post(
    'an exchange for a refresh token',
    {
      grant_type: exchange,
      subject_token: 'x',
      subject_token_type: accessToken,
      requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token',
    },
    refused,
  ),
  post(
    'an exchange with a second actor',
    { grant_type: exchange, subject_token: 'x', subject_token_type: accessToken, actor_token: 'y' },
    refused,
  ),
  post(
    'an exchange for −1 seconds',
    { grant_type: exchange, subject_token: 'x', subject_token_type: accessToken, requested_lifetime: '-1' },
    refused,
  ),
  post(
    'an exchange without limit',
    { grant_type: exchange, subject_token: 'x', subject_token_type: accessToken, requested_lifetime: '1e99' },
    refused,
  ),
  post(
    'an exchange of an unsigned token',
    { grant_type: exchange, subject_token: 'eyJhbGciOiJub25lIn0.e30.', subject_token_type: accessToken },
    refused,
  ),
  post('a refresh of nothing', { grant_type: 'refresh_token' }, refused),
  post('a refresh of a guess', { grant_type: 'refresh_token', refresh_token: 'rhr_guess' }, refused),
  post('a refresh of an operator of the store', 'grant_type=refresh_token&refresh_token[$ne]=x', refused),
  post(
    'a refresh of 8 KiB',
    { grant_type: 'refresh_token', refresh_token: 'a'.repeat(8192) },
    { status: [400, 413] },
  ),
  post(
    'an enrolment without a proof',
    { grant_type: enrolment, queue: 'citadel', code: 'rhi_guess' },
    refused,
  ),
  post('an enrolment with a proof of nonsense', { grant_type: enrolment, queue: 'citadel' }, refused, {
    headers: { dpop: 'x.y.z' },
  }),
  post('an enrolment with an unsigned proof', { grant_type: enrolment, queue: 'citadel' }, refused, {
    headers: { dpop: 'eyJhbGciOiJub25lIiwidHlwIjoiZHBvcCtqd3QifQ.e30.' },
  }),
  post(
    'an enrolment with a proof of 20 KiB',
    { grant_type: enrolment, queue: 'citadel' },
    { status: [400, 431] },
    { headers: { dpop: 'a'.repeat(20_000) } },
  ),
  post('a worker without a proof', { grant_type: workerGrant, enrolment_id: 'enr_x' }, refused),
  post('a worker with a proof of nonsense', { grant_type: workerGrant, enrolment_id: 'enr_x' }, refused, {
    headers: { dpop: 'x' },
  }),
  post(
    'two grants in one form',
    `grant_type=refresh_token&grant_type=${encodeURIComponent(exchange)}`,
    refused,
  ),
];

const bodies: readonly AttackCase[] = [
  post('a form of 1 MiB', `grant_type=${'a'.repeat(1 << 20)}`, { status: [413, 400, 0] }),
  post('a form of 5,000 fields', `grant_type=x&${'a=b&'.repeat(5000)}`, { status: [400, 413] }),
  post('a form of broken escapes', 'grant_type=%zz%', refused),
  post(
    'a form that is JSON',
    '{"grant_type":"refresh_token"}',
    { status: [400, 415] },
    { headers: { 'content-type': 'application/json' } },
  ),
  post(
    'a form by multipart',
    'x',
    { status: [400, 415] },
    { headers: { 'content-type': 'multipart/form-data; boundary=x' } },
  ),
  post(
    'a form without a type',
    'grant_type=refresh_token',
    { status: [400, 415] },
    { headers: { 'content-type': undefined } },
  ),
];

const others: readonly AttackCase[] = [
  post('a revocation of nothing', '', { status: [200, 400] }, { path: '/oauth/revoke' }),
  post('a revocation of nonsense', { token: 'x' }, { status: [200, 400] }, { path: '/oauth/revoke' }),
  post('an explanation of nothing', '', { status: [200, 400] }, { path: '/oauth/explain' }),
  post('an explanation of nonsense', { token: 'x.y.z' }, { status: [200, 400] }, { path: '/oauth/explain' }),
  post(
    'an explanation of a token of 60 KiB',
    { token: 'a'.repeat(60_000) },
    { status: [200, 400, 413] },
    { path: '/oauth/explain' },
  ),
  post('an authorisation that does not exist', '', { status: 405 }, { path: '/oauth/authorize' }),
  post(
    'an introspection that does not exist',
    { token: 'x' },
    { status: 405 },
    { path: '/oauth/introspect' },
  ),
  post('a registration of a client', '{}', { status: 405 }, { path: '/oauth/register' }),
  ...['GET', 'PUT', 'DELETE', 'OPTIONS'].map((method) =>
    http(
      `${method} of the endpoint of tokens`,
      { at: 'identities', method, path: '/oauth/token', body: null },
      { status: [404, 405] },
    ),
  ),
  http(
    'the endpoint of tokens by another spelling',
    { at: 'identities', path: '/OAUTH/TOKEN', headers: { 'content-type': form }, body: 'grant_type=x' },
    { status: 405 },
  ),
  http(
    'the endpoint of tokens at a gateway without identities',
    { path: '/oauth/token', headers: { 'content-type': form }, body: 'grant_type=x' },
    { status: 405 },
  ),
  http(
    'a token of the site with its alias',
    { at: 'identities', as: 'reader' },
    { status: 200, says: /Query/ },
  ),
  http(
    'the private part of the published keys',
    { at: 'identities', method: 'GET', path: '/.well-known/jwks.json', body: null },
    { status: 200, says: /"keys":\[\{.*"x":/, hides: /"d":/ },
  ),
  http(
    'the private part of the keys of calls',
    { method: 'GET', path: '/.well-known/rhizome-call-keys.json', body: null },
    { status: 200, says: /"keys":\[\{.*"x":/, hides: /"d":/ },
  ),
  ...[
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/graphql',
  ].flatMap((path) => [
    http(
      `${path} under a forged host`,
      { at: 'identities', method: 'GET', path, body: null, headers: { host: 'evil.example' } },
      { status: 200, says: /"(issuer|resource)":"http:\/\/127/, hides: /evil/ },
    ),
    http(`a POST to ${path}`, { at: 'identities', path, body: null }, { status: 405 }),
  ]),
  raw(
    'a form whose length is a lie',
    `POST /oauth/token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: ${form}\r\ncontent-length: 3\r\n\r\ngrant_type=refresh_token`,
    { status: 400 },
    { at: 'identities' },
  ),
];

/** The endpoint at which core asks for the rights of anybody. */
const rights = '/identity/rights';
const question = { holders: [{ subject: 'admin@attack' }] };
const rightsOf = (name: string, as: Caller, expected: Expected, attack: Attack = {}): AttackCase =>
  http(name, { at: 'identities', path: rights, as, body: question, ...attack }, expected);

const questions: readonly AttackCase[] = [
  ...callers
    .filter((as) => as !== 'core')
    .map((as) =>
      rightsOf(`the rights of an administrator by ${as}`, as, { status: 401, hides: /grants|isRevoked/ }),
    ),
  rightsOf('the rights of an administrator by core', 'core', { status: 200, says: /isRevoked/ }),
  rightsOf(
    'the rights of an administrator by core at a gateway without identities',
    'core',
    { status: 405, hides: /isRevoked/ },
    { at: 'gateway' },
  ),
  rightsOf('rights of nobody', 'core', { status: 400 }, { body: { holders: [] } }),
  rightsOf('rights of an operator of the store', 'core', { status: 400 }, { body: { holders: { $ne: 1 } } }),
  rightsOf(
    'rights of 101 principals',
    'core',
    { status: 400 },
    { body: { holders: Array.from({ length: 101 }, (_, at) => ({ subject: `s${at}` })) } },
  ),
  rightsOf('a question of 300 KiB', 'core', { status: 413 }, { body: { holders: 'a'.repeat(300_000) } }),
  rightsOf(
    'a question of 300 KiB by nobody',
    'nobody',
    { status: 401 },
    { body: { a: 'a'.repeat(300_000) } },
  ),
  rightsOf('a question of nonsense', 'core', { status: 400 }, { body: '}{' }),
  rightsOf('a GET of rights', 'core', { status: 404 }, { method: 'GET', body: null }),
  http('the token of core at GraphQL', { at: 'identities', as: 'core' }, { status: 401 }),
  http('the token of core at core', { at: 'core', as: 'core' }, { status: 401 }),
];

/** All of them. */
export const tokenEndpointCases: readonly AttackCase[] = [
  ...robots,
  ...grants,
  ...bodies,
  ...others,
  ...questions,
];
