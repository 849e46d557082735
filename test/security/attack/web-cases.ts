/** The endpoints of logins, and the session of a browser in the hands of other pages and programs. */
import { sessionCookie, type AttackSystem } from './attack-system.js';
import type { AttackCase, Expected } from './case.js';
import { type Attack, http } from './http.js';

const csrf = { 'x-rhizome-csrf': '1' };
const evil = 'https://evil.example';

/** A request to the gateway with identities, without a body. */
const auth = (name: string, path: string, expected: Expected, attack: Attack = {}): AttackCase =>
  http(name, { at: 'identities', method: 'GET', path, body: null, ...attack }, expected);

const cookieOf = ({ login }: AttackSystem): string => `${sessionCookie}=${login.session}`;
const viewer = { query: '{ viewer { subject } }' };

/** A query with the session of the person. */
const withSession = (
  name: string,
  headers: (system: AttackSystem) => Record<string, string>,
  expected: Expected,
  more: Attack = {},
): AttackCase =>
  http(
    name,
    {
      ...{ at: 'identities', body: viewer, ...more },
      headers: (system) => ({ cookie: cookieOf(system), ...headers(system) }),
    },
    expected,
  );

const unauthenticated = { status: 401, code: 'UNAUTHENTICATED', hides: /usr_/ } as const;
const forbidden = { status: 403, code: 'FORBIDDEN', hides: /usr_/ } as const;

const sessions: readonly AttackCase[] = [
  withSession(
    'the session in a query of its own page',
    ({ origin }) => ({ ...csrf, origin: origin('identities') }),
    {
      status: 200,
      says: /"subject":"usr_/,
    },
  ),
  withSession('the session without the mark of own pages', () => ({}), unauthenticated),
  withSession(
    'a query of another web site with the session of the browser',
    () => ({ ...csrf, origin: evil }),
    forbidden,
  ),
  withSession('the session in a query of an unknown site', () => csrf, forbidden),
  withSession('the session in a query of a sandboxed page', () => ({ ...csrf, origin: 'null' }), forbidden),
  withSession(
    'the session in a query of another site that names the own one',
    ({ origin }) => ({ ...csrf, origin: origin('identities'), 'sec-fetch-site': 'cross-site' }),
    forbidden,
  ),
  withSession(
    'the session in a query of another port of this host',
    ({ origin }) => ({ ...csrf, origin: origin('gateway') }),
    forbidden,
  ),
  withSession(
    'the session in a GET of its own page',
    ({ origin }) => ({ ...csrf, origin: origin('identities'), 'apollo-require-preflight': '1' }),
    unauthenticated,
    { method: 'GET', path: `/graphql?query=${encodeURIComponent(viewer.query)}`, body: null },
  ),
  withSession(
    'the session at the gateway without identities',
    ({ origin }) => ({ ...csrf, origin: origin('gateway') }),
    unauthenticated,
    { at: 'gateway' },
  ),
  http(
    'the session as a bearer token',
    {
      ...{ at: 'identities', body: viewer },
      headers: ({ login }) => ({ authorization: `Bearer ${login.session}` }),
    },
    unauthenticated,
  ),
  http(
    'the session as a refresh token',
    {
      ...{ at: 'identities', path: '/oauth/token' },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: ({ login }) => `grant_type=refresh_token&refresh_token=${login.session}`,
    },
    { status: 400 },
  ),
  ...['A'.repeat(43), '[$ne]', '__proto__', 'a'.repeat(8000), '../../etc/passwd'].map((id) =>
    auth(
      `a forged session "${id.slice(0, 20)}"`,
      '/auth/session',
      { status: 200, says: /"isLoggedIn":false/ },
      { headers: { ...csrf, cookie: `${sessionCookie}=${id}` } },
    ),
  ),
  auth('the session of nobody', '/auth/session', { status: 200, says: /"isLoggedIn":false/ }),
  auth(
    'a look at the session without the mark of own pages',
    '/auth/session',
    { status: 200, says: /"isLoggedIn":false/ },
    { headers: (system) => ({ cookie: cookieOf(system) }) },
  ),
];

/** Requests with the cookie of the session that are none of an own page. */
const byOthers: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['by a page of another site', { origin: evil }],
  ['by a form without an origin', {}],
  ['by a page of another site that names the own one', { origin: evil, 'sec-fetch-site': 'same-origin' }],
];

const changes: readonly AttackCase[] = (
  [
    ['a logout', 'POST', '/auth/logout'],
    ['an end of an elevation', 'POST', '/auth/elevation/end'],
    ['a start of a link', 'POST', '/auth/link'],
    ['a look at elevatable roles', 'GET', '/auth/elevation'],
  ] as const
).flatMap(([what, method, path]) =>
  byOthers.map(([how, headers]) =>
    auth(
      `${what} ${how}`,
      path,
      { status: 403, hides: /usr_|elv_/ },
      { method, headers: (system) => ({ cookie: cookieOf(system), ...headers }) },
    ),
  ),
);

const elevations: readonly AttackCase[] = (
  [
    ['GET', '/auth/elevation'],
    ['POST', '/auth/elevation/end'],
    ['POST', '/auth/link'],
  ] as const
).flatMap(([method, path]) =>
  ['', 'A'.repeat(43), '[$ne]'].map((id) =>
    auth(
      `a ${method} of ${path} with the forged session "${id.slice(0, 20)}"`,
      path,
      { status: 401 },
      {
        method,
        headers: ({ origin }) => ({ origin: origin('identities'), cookie: `${sessionCookie}=${id}` }),
      },
    ),
  ),
);

const beginnings: readonly AttackCase[] = [
  ['of no issuer', ''],
  ['of an unknown issuer', '?issuer=nobody'],
  ['of a prototype', '?issuer=__proto__'],
  ['of an address as issuer', `?issuer=${encodeURIComponent(evil)}`],
  ['of an operator', '?issuer[$ne]=x'],
  ['of an issuer of 6,000 characters', `?issuer=${'a'.repeat(6000)}`],
].map(([what, query]) => auth(`a login ${what as string}`, `/auth/login${query as string}`, { status: 400 }));

const callback = (
  name: string,
  query: (system: AttackSystem) => string,
  cookie?: (system: AttackSystem) => string,
): AttackCase =>
  auth(
    name,
    '/auth/callback',
    { status: 401, hides: /<script/ },
    { query, headers: (system) => (cookie ? { cookie: `__Host-rhizome-login=${cookie(system)}` } : {}) },
  );

const ends: readonly AttackCase[] = [
  callback('an end of a login that has not begun', () => '?code=x&state=y'),
  callback('an end of a login in another browser', ({ login }) => login.callback),
  callback(
    'an end of a login with a forged state',
    ({ login }) => login.callback,
    () => 'a.b.c',
  ),
  callback(
    'an end of a login with a state of 6,000 characters',
    () => '?code=x',
    () => 'a'.repeat(6000),
  ),
  callback(
    'the code of a login for a second time',
    ({ login }) => login.callback,
    ({ login }) => login.state,
  ),
  callback(
    'the state of a login with another code',
    () => '?code=x&state=y',
    ({ login }) => login.state,
  ),
  callback(
    'an error of the issuer with a script',
    () => `?error=${encodeURIComponent('<script>alert(1)</script>')}`,
    ({ login }) => login.state,
  ),
  {
    name: 'a login that asks to end at another site',
    expected: { says: /^http:\/\/127\.0\.0\.1:\d+\/$/ },
    run: async ({ login }) => ({ text: login.end }),
  },
];

const methods: readonly AttackCase[] = [
  ...['/auth/session', '/auth/login', '/auth/callback', '/auth/elevation'].map((path) =>
    auth(`a POST to ${path}`, path, { status: 405 }, { method: 'POST' }),
  ),
  auth('a GET of the logout', '/auth/logout', { status: 404 }),
  auth('a GET of the end of an elevation', '/auth/elevation/end', { status: 404 }),
  ...['/auth/session', '/auth/login', '/auth/callback', '/auth/elevation'].map((path) =>
    auth(`${path} at the gateway without identities`, path, { status: 404 }, { at: 'gateway' }),
  ),
];

/** All of them. */
export const webCases: readonly AttackCase[] = [
  ...sessions,
  ...changes,
  ...elevations,
  ...beginnings,
  ...ends,
  ...methods,
];
