// cspell:ignore fetc fpasswd cetc cpasswd fpackage Cscript Ealert
/** Paths next to GraphQL: health, metrics, pages and files. */
import type { Caller } from './attackers.js';
import type { AttackCase } from './case.js';
import { http, raw } from './http.js';

const get = (path: string, headers = {}) => ({ method: 'GET', path, headers }) as const;

const refusedMethods: readonly AttackCase[] = [
  '/healthz',
  '/readyz',
  '/metrics',
  '/',
  '/graphiql',
  '/jobs',
].flatMap((path) =>
  ['POST', 'PUT', 'DELETE'].map((method) =>
    http(`${method} ${path}`, { method, path, body: null }, { status: 405 }),
  ),
);

const scrapers: readonly (readonly [Caller, number])[] = [
  ['nobody', 401],
  ['expired', 401],
  ['call', 401],
  ['attempt', 401],
  ['reader', 403],
  ['user', 403],
  ['production', 403],
  ['pilot', 403],
  ['agent', 403],
  ['service', 403],
];
const metrics = scrapers.map(([as, status]) =>
  http(`the metrics by ${as}`, { as, ...get('/metrics') }, { status, hides: /rhizome_gateway/ }),
);

const traversals = [
  '/../../../../etc/passwd',
  '/..%2f..%2f..%2fetc%2fpasswd',
  '/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
  '/....//....//etc/passwd',
  '/..\\..\\..\\etc\\passwd',
  '/%5c..%5c..%5cetc%5cpasswd',
  '/assets/../../package.json',
  '/assets/..%2f..%2fpackage.json',
  '/%00',
  '/index.html%00.js',
  '/%',
  '/%zz',
  '/%c0%ae%c0%ae/etc/passwd',
  '//etc/passwd',
  '///etc/passwd',
  '/.git/config',
  '/.env',
  '/.rhizome/token-key.json',
  '/token-key.json',
  '/node_modules/graphql/package.json',
  '/graphiql/../../../package.json',
  '/graphiql/.npmrc',
  '/src/main.tsx',
  '/assets/',
  '/assets',
  '/graphql/',
  '/graphql/../metrics',
  '/GRAPHQL',
  '/healthz/',
  '/server-status',
  '/wp-login.php',
  '/admin',
  '/debug/pprof',
  '/.well-known/security.txt',
].map((path) =>
  http(`the path ${path}`, get(path), { status: [400, 401, 404], hides: /root:|"version"|BEGIN|"d":/ }),
);

const pages: readonly AttackCase[] = [
  http('GraphiQL in a frame', get('/graphiql', { accept: 'text/html' }), {
    status: 200,
    hides: /Bearer|token=/,
  }),
  http('a page in a frame', get('/', { accept: 'text/html' }), { status: 200, hides: /<script>[^<]/ }),
  http(
    'a page with a script in its address',
    get('/%3Cscript%3Ealert(1)%3C/script%3E', { accept: 'text/html' }),
    { status: [200, 404], hides: /alert\(1\)/ },
  ),
  http('a page of a very long path', get(`/${'a'.repeat(8000)}`), { status: 404, hides: /a{300}/ }),
  http(
    'a page with a host that breaks its policy',
    get('/', { accept: 'text/html', host: "x'; script-src *" }),
    { status: 200 },
  ),
  http('the health with a body', { ...get('/healthz'), body: 'x'.repeat(1000) }, { status: 200 }),
  http('the readiness by nobody', get('/readyz'), { status: 200, hides: /mongodb:|127\.0\.0\.1/ }),
  raw(
    '100 requests on one connection',
    `${'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(99)}GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    { status: 200 },
  ),
  raw(
    '2,000 headers',
    `GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${'a: b\r\n'.repeat(2000)}\r\n`,
    { status: [200, 431] },
  ),
];

/** All of them. */
export const pageCases: readonly AttackCase[] = [...refusedMethods, ...metrics, ...traversals, ...pages];
