// cspell:ignore PROPFIND
/** Requests that are no GraphQL requests, or not quite: methods, types, bodies, and requests of browsers. */
import type { AttackCase } from './case.js';
import { http, raw } from './http.js';

const wrongType = { status: 415, code: 'BAD_REQUEST' } as const;
const bad = { status: 400, code: 'BAD_REQUEST' } as const;
const query = encodeURIComponent('{ __typename }');
const mutation = encodeURIComponent('mutation { __typename }');
const boundary = 'x-attack';
const upload = [
  `--${boundary}\r\ncontent-disposition: form-data; name="operations"\r\n`,
  '{"query":"mutation ($f: String!) { __typename }","variables":{"f":null}}',
  `--${boundary}\r\ncontent-disposition: form-data; name="map"\r\n`,
  '{"0":["variables.f"]}',
  `--${boundary}--\r\n`,
].join('\r\n');

const methods: readonly AttackCase[] = ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND'].map(
  (method) => http(`the method ${method}`, { as: 'reader', method, body: null }, { status: 405 }),
);

const types = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/graphql',
  'application/xml',
  'text/json',
  'application/jsonp',
  'application/json-patch+json',
  'application/json; charset=utf-16',
  'application/json; charset=latin1',
  'application/json, text/plain',
  '',
  'application/json\t;charset=utf-7',
].map((type) =>
  http(`a body of type "${type}"`, { as: 'reader', headers: { 'content-type': type } }, wrongType),
);

const forms: readonly AttackCase[] = [
  http('a body without a type', { as: 'reader', headers: { 'content-type': undefined } }, wrongType),
  http(
    'a form with the query in a field',
    {
      as: 'reader',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `query=${query}`,
    },
    wrongType,
  ),
  http(
    'an upload by multipart',
    { as: 'reader', headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body: upload },
    wrongType,
  ),
  http(
    'an upload by multipart without a token',
    { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body: upload },
    { status: 401, code: 'UNAUTHENTICATED' },
  ),
  ...['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'compress'].map((coding) =>
    http(`a body in coding ${coding}`, { as: 'reader', headers: { 'content-encoding': coding } }, wrongType),
  ),
];

const texts: readonly (readonly [string, string | Buffer])[] = [
  ['nothing', ''],
  ['null', 'null'],
  ['a number', '42'],
  ['a text', '"{ __typename }"'],
  ['true', 'true'],
  ['an object without a query', '{}'],
  ['half an object', '{"query":'],
  ['two objects', '{"query":"{ __typename }"}{"query":"{ __typename }"}'],
  ['a comment', '/* x */{"query":"{ __typename }"}'],
  ['single quotes', "{'query':'{ __typename }'}"],
  ['a NUL byte', Buffer.from('{"query":"{ __typename }"}\0')],
  ['UTF-16', Buffer.from('{"query":"{ __typename }"}', 'utf16le')],
  ['a query that is a number', '{"query":1}'],
  ['a query that is null', '{"query":null}'],
  ['a query that is a list', '{"query":["{ __typename }"]}'],
  ['a query that is an object', '{"query":{"toString":"x"}}'],
  ['an empty query', '{"query":""}'],
  ['an operation name that is a number', '{"query":"{ __typename }","operationName":1}'],
  ['an operation name that is a list', '{"query":"{ __typename }","operationName":[]}'],
  ['variables that are a list', '{"query":"{ __typename }","variables":[]}'],
  ['variables that are a text', '{"query":"{ __typename }","variables":"{}"}'],
  ['variables that are a number', '{"query":"{ __typename }","variables":1}'],
  ['extensions that are a list', '{"query":"{ __typename }","extensions":[]}'],
  ['extensions that are a text', '{"query":"{ __typename }","extensions":"{}"}'],
  ['a list of tags that is a text', '{"query":"{ __typename }","extensions":{"withoutTags":"pilot"}}'],
  ['a list of tags with a number', '{"query":"{ __typename }","extensions":{"withoutTags":[1]}}'],
  ['a number without end', '{"query":"{ __typename }","variables":{"a":1e99999'],
];

const bodies: readonly AttackCase[] = texts.map(([what, body]) =>
  http(`a body of ${what}`, { as: 'reader', body }, bad),
);

const oddities: readonly AttackCase[] = [
  http(
    'a body of invalid UTF-8',
    {
      as: 'reader',
      body: Buffer.from([...Buffer.from('{"query":"'), 0xc3, 0x28, 0xff, ...Buffer.from('"}')]),
    },
    { code: 'GRAPHQL_PARSE_FAILED' },
  ),
  http(
    'a prototype among the variables',
    {
      as: 'reader',
      body: '{"query":"{ viewer { subject } }","variables":{"__proto__":{"subject":"intruder"},"constructor":{"prototype":{"subject":"intruder"}}}}',
    },
    { status: 200, hides: /intruder/ },
  ),
  http(
    'a body of 300 nested lists',
    {
      as: 'reader',
      body: `{"query":"{ __typename }","variables":{"a":${'['.repeat(300)}${']'.repeat(300)}}}`,
    },
    { status: 400, code: 'OPERATION_TOO_COMPLEX' },
  ),
  http(
    'a body of 300 nested objects',
    {
      as: 'reader',
      body: `{"query":"{ __typename }","variables":${'{"a":'.repeat(300)}1${'}'.repeat(300)}}`,
    },
    { status: 400, code: 'OPERATION_TOO_COMPLEX' },
  ),
];

const large: readonly AttackCase[] = [
  ['a body of 2 MiB by a reader', 'reader', { status: 413 }],
  ['a body of 2 MiB without a token', 'nobody', { status: 401 }],
  ['a body of 2 MiB by an agent', 'agent', { status: 413 }],
  ['a body of 2 MiB with an expired token', 'expired', { status: 401 }],
].map(([name, as, expected]) =>
  http(
    name as string,
    { as: as as 'reader', body: `{"query":"{ __typename }","variables":{"a":"${'a'.repeat(2 << 20)}"}}` },
    expected as object,
  ),
);

const batchOf = (count: number): string =>
  JSON.stringify(Array.from({ length: count }, () => ({ query: '{ __typename }' })));
const batches: readonly AttackCase[] = [0, 1, 2, 10, 1000].flatMap((count) => [
  http(`a batch of ${count} operations by a reader`, { as: 'reader', body: batchOf(count) }, bad),
  http(`a batch of ${count} operations without a token`, { body: batchOf(count) }, { status: 401 }),
]);

const get = (search: string, headers = {}) =>
  ({ as: 'reader', method: 'GET', path: `/graphql${search}`, headers }) as const;
const gets: readonly AttackCase[] = [
  http('a mutation by GET', get(`?query=${mutation}`), { status: 405, code: 'BAD_REQUEST' }),
  http(
    'a mutation by GET, chosen by its name',
    get(`?operationName=B&query=${encodeURIComponent('query A { __typename } mutation B { __typename }')}`),
    { status: 405 },
  ),
  http(
    'a subscription by GET',
    get(`?query=${encodeURIComponent('subscription { jobStateChanged { cursor } }')}`),
    { status: 406 },
  ),
  http('a GET without a query', get(''), bad),
  http('a GET with broken variables', get(`?query=${query}&variables={`), bad),
  http('a GET with variables that are a list', get(`?query=${query}&variables=[]`), bad),
  http('a GET with broken extensions', get(`?query=${query}&extensions={`), bad),
  http('a GET with a batch', get(`?query=${encodeURIComponent('[{"query":"{ __typename }"}]')}`), {
    status: [200, 400],
    code: 'GRAPHQL_PARSE_FAILED',
  }),
  http(
    'a GET with the token in its address',
    { method: 'GET', path: `/graphql?query=${query}&access_token=x` },
    {
      status: 401,
    },
  ),
  http('a GET of 20 KiB', get(`?query=${'a'.repeat(20_000)}`), { status: 431 }),
  ...(
    [
      ['from another site', { 'sec-fetch-site': 'cross-site' }],
      ['from a sibling of this site', { 'sec-fetch-site': 'same-site' }],
      ['with the origin of another site', { origin: 'https://evil.example' }],
      ['with the address of another page', { referer: 'https://evil.example/' }],
      ['with a cookie', { cookie: 'session=x' }],
      ['of a browser', { 'user-agent': 'Mozilla/5.0' }],
      ['of a form', { 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' }],
    ] as const
  ).map(([what, headers]) =>
    http(
      `a GET without a token ${what}`,
      { method: 'GET', path: `/graphql?query=${query}`, headers },
      { status: 403, code: 'FORBIDDEN' },
    ),
  ),
  http('a GET with a nested bomb', get(`?query=${query}&variables=${'['.repeat(5000)}`), {
    status: [400, 431],
  }),
];

const accepts: readonly AttackCase[] = [
  'text/html',
  'image/png',
  'application/xml',
  'application/json;q=0',
].map((accept) => http(`an answer as ${accept}`, { as: 'reader', headers: { accept } }, { status: 406 }));

const persisted = (extensions: unknown) =>
  ({ as: 'reader', body: JSON.stringify({ extensions: { persistedQuery: extensions } }) }) as const;
const hash = 'a'.repeat(64);
const persistedCases: readonly AttackCase[] = [
  http('an unknown hash', persisted({ version: 1, sha256Hash: hash }), { code: 'PERSISTED_QUERY_NOT_FOUND' }),
  http(
    'an unknown hash without a token',
    { body: persisted({ version: 1, sha256Hash: hash }).body },
    { status: 401 },
  ),
  http('a hash of another version', persisted({ version: 2, sha256Hash: hash }), bad),
  http('a hash that is a number', persisted({ version: 1, sha256Hash: 7 }), bad),
  http('a hash that is too long', persisted({ version: 1, sha256Hash: 'a'.repeat(65) }), bad),
  http('a hash that is a list', persisted([hash]), bad),
  http('a prototype as a hash', persisted({ version: 1, sha256Hash: '__proto__' }), {
    code: 'PERSISTED_QUERY_NOT_FOUND',
  }),
  http(
    'a document with the hash of another one',
    {
      as: 'reader',
      body: { query: '{ __typename }', extensions: { persistedQuery: { version: 1, sha256Hash: hash } } },
    },
    { status: 400 },
  ),
];

const head = 'POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer TOKEN\r\n';
const json = 'content-type: application/json\r\n';
const body = '{"query":"{ __typename }"}';
const smuggling: readonly AttackCase[] = [
  raw('two lengths', `${head}${json}content-length: 26\r\ncontent-length: 5\r\n\r\n${body}`, { status: 400 }),
  raw(
    'a length and chunks',
    `${head}${json}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    {
      status: 400,
    },
  ),
  raw(
    'chunks that are not the last coding',
    `${head}${json}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
    {
      status: 400,
    },
  ),
  raw('a chunk with a wrong size', `${head}${json}transfer-encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n`, {
    status: 400,
  }),
  raw('a negative length', `${head}${json}content-length: -1\r\n\r\n${body}`, { status: 400 }),
  raw('a length in words', `${head}${json}content-length: many\r\n\r\n${body}`, { status: 400 }),
  raw('a length beyond all numbers', `${head}${json}content-length: 99999999999999999999\r\n\r\n`, {
    status: 400,
  }),
  raw('a header with a NUL', `${head}x-a: a\0b\r\n\r\n`, { status: 400 }),
  raw('a header without a colon', `${head}nonsense\r\n\r\n`, { status: 400 }),
  raw('a header that goes on in the next line', `${head}x-a: a\r\n b: c\r\n\r\n`, {
    status: [400, 401, 415],
  }),
  raw('a space before the colon', `${head}content-length : 26\r\n\r\n${body}`, { status: 400 }),
  raw('two hosts', 'GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n', {
    status: [200, 400],
  }),
  raw('no host', 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n', { status: 400 }),
  raw('headers of 20 KiB', `${head}x-a: ${'a'.repeat(20_000)}\r\n\r\n`, { status: 431 }),
  raw('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { status: 400 }),
  raw('the protocol HTTP/3.0', 'GET /healthz HTTP/3.0\r\nhost: x\r\n\r\n', { status: 400 }),
  raw('a TLS greeting', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]), {
    status: 400,
  }),
  raw('a greeting of SSH', 'SSH-2.0-OpenSSH_9.6\r\n', { status: 400 }),
  raw('the method CONNECT', 'CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', {
    status: [0, 400, 404, 405],
  }),
  raw(
    'an address of another machine',
    'GET http://169.254.169.254/latest HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    { status: 404 },
  ),
  raw('a path without a slash', 'GET graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', {
    status: [400, 404],
  }),
  raw('an expectation', `${head}${json}expect: the-impossible\r\ncontent-length: 26\r\n\r\n${body}`, {
    status: [200, 417],
  }),
];

/** All of them. */
export const httpCases: readonly AttackCase[] = [
  ...methods,
  ...types,
  ...forms,
  ...bodies,
  ...oddities,
  ...large,
  ...batches,
  ...gets,
  ...accepts,
  ...persistedCases,
  ...smuggling,
];
