/** The endpoints of core and of experiments, asked without the gateway. */
import type { Caller } from './attackers.js';
import type { AttackCase } from './case.js';
import { http } from './http.js';
import { message, socket } from './socket.js';

const entities = {
  query: 'query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Job { id } } }',
};

const services = ['core', 'larkspur'] as const;
const strangers: readonly Caller[] = [
  'nobody',
  'reader',
  'user',
  'admin',
  'everything',
  'pilot',
  'agent',
  'service',
  'attempt',
  'expired',
];

const withTokenOf = (as: Caller): string => {
  if (as === 'nobody') return 'without a token';
  return as === 'everything' ? 'with an access token for everything' : `with the access token of: ${as}`;
};

const direct: readonly AttackCase[] = services.flatMap((at) =>
  strangers.map((as) =>
    http(
      `a query to ${at} ${withTokenOf(as)}`,
      { at, as },
      { status: 401, code: ['UNAUTHENTICATED', 'TOKEN_EXPIRED'] },
    ),
  ),
);

const others: readonly AttackCase[] = services.flatMap((at) => [
  http(`the SDL of ${at} by nobody`, { at, body: { query: '{ _service { sdl } }' } }, { status: 401 }),
  http(
    `a request for entities of ${at} without a token`,
    { at, body: { ...entities, variables: { r: [] } } },
    { status: 401 },
  ),
  http(
    `the schema of ${at} by nobody`,
    { at, body: { query: '{ __schema { types { name } } }' } },
    { status: 401 },
  ),
  http(`a batch at ${at} by nobody`, { at, body: '[{"query":"{ __typename }"}]' }, { status: [400, 401] }),
  http(
    `a GET of ${at}`,
    { at, method: 'GET', path: '/graphql?query=%7B__typename%7D' },
    { status: [400, 401, 404, 405] },
  ),
  http(`a text at ${at}`, { at, headers: { 'content-type': 'text/plain' } }, { status: [400, 401, 415] }),
  http(
    `2 MiB at ${at} by nobody`,
    { at, body: JSON.stringify({ query: 'a'.repeat(2 << 20) }) },
    { status: [401, 413] },
  ),
  http(`another path at ${at}`, { at, method: 'GET', path: '/../../etc/passwd' }, { status: 404 }),
  http(`a POST to the health of ${at}`, { at, path: '/healthz' }, { status: 200, hides: /data/ }),
  socket(`a socket of ${at} without a token`, ['INIT'], { close: 4403 }, { at, as: 'nobody' }),
  socket(`a socket of ${at} with a token of everything`, ['INIT'], { close: 4403 }, { at, as: 'everything' }),
  socket(
    `an operation before the token at ${at}`,
    [message('subscribe', { id: '1', payload: { query: '{ __typename }' } })],
    { close: 4401 },
    { at },
  ),
  socket(
    `1 MiB before the token at ${at}`,
    [`{"type":"connection_init","payload":{"a":"${'a'.repeat(1 << 20)}"}}`],
    { close: 1009 },
    { at },
  ),
  socket(`a message of nonsense at ${at}`, ['hello'], { close: 4400 }, { at }),
]);

const calls: readonly AttackCase[] = [
  http(
    'a call token of another subgraph at core',
    { at: 'core', as: 'call' },
    { status: 401, code: 'UNAUTHENTICATED' },
  ),
  http(
    'its own call token at an experiment',
    { at: 'larkspur', as: 'call' },
    { status: 200, hides: /errors/ },
  ),
  socket(
    'a call token of another subgraph on a socket of core',
    ['INIT'],
    { close: 4403 },
    { at: 'core', as: 'call' },
  ),
];

/** All of them. */
export const subgraphCases: readonly AttackCase[] = [...direct, ...others, ...calls];
