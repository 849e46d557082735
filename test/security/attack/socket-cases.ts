// cspell:ignore viwer
/** WebSockets: handshakes, frames, and the order of the protocol. */
import type { AttackCase } from './case.js';
import { frame, message, opened, socket } from './socket.js';

const subscribe = (query: unknown, more: object = {}): string =>
  message('subscribe', { id: '1', payload: { query }, ...more });
const stream = 'subscription { queueChanged { cursor } }';

const handshakes: readonly AttackCase[] = [
  socket('a socket at another path', [], { status: 404 }, { path: '/' }),
  socket(
    'a socket at the endpoint of tokens',
    [],
    { status: 404 },
    { path: '/oauth/token', at: 'identities' },
  ),
  socket('a socket of version 7', [], { status: 400 }, { headers: ['sec-websocket-version: 7'] }),
  socket('a socket with a short key', [], { status: 400 }, { headers: ['sec-websocket-key: eA=='] }),
  socket('a socket without a protocol', [], { close: 4406 }, { protocol: null }),
  socket('a socket of the old protocol', [], { close: 4406 }, { protocol: 'graphql-ws' }),
  socket('a socket of an unknown protocol', [], { close: 4406 }, { protocol: 'mqtt' }),
];

const protocolError = { close: 1002 } as const;
const frames: readonly AttackCase[] = [
  socket('a frame without a mask', [frame('{}', { masked: false })], protocolError),
  socket('a frame with reserved bits', [frame('{}', { reserved: 2 })], protocolError),
  socket('a compressed frame', [frame('{}', { reserved: 4 })], protocolError),
  ...[3, 7, 11, 15].map((opcode) =>
    socket(`a frame of kind ${opcode}`, [frame('{}', { opcode })], protocolError),
  ),
  socket('a continuation of nothing', [frame('{}', { opcode: 0 })], protocolError),
  socket('a ping in two pieces', [frame('a', { opcode: 9, fin: false })], protocolError),
  socket('a ping of 126 bytes', [frame('a'.repeat(126), { opcode: 9 })], protocolError),
  socket('a close of one byte', [frame('a', { opcode: 8 })], protocolError),
  socket('a close with the code 1005', [frame(Buffer.from([3, 237]), { opcode: 8 })], protocolError),
  socket('a close with a reason that is no text', [frame(Buffer.from([3, 232, 0xff, 0xfe]), { opcode: 8 })], {
    close: [1002, 1007],
  }),
  socket('a text that is no UTF-8', [frame(Buffer.from([0xc3, 0x28]))], { close: [1007, 1002] }),
  socket(
    'a message in pieces before the token',
    [frame('{"type":', { fin: false }), frame('"connection_init"}', { opcode: 0 })],
    { close: [1009, 4400, 1008, 4403] },
  ),
  socket('a frame that claims 2^53 bytes', [frame('', { length: 2 ** 53 })], { close: 1009 }),
  socket('a frame that claims 1 GiB', [frame('', { length: 2 ** 30 })], { close: 1009 }),
  socket(
    '1 MiB before the token',
    [frame(`{"type":"connection_init","payload":{"a":"${'a'.repeat(1 << 20)}"}}`)],
    { close: 1009 },
  ),
  socket(
    '100 KiB of brackets before the token',
    [`{"type":"connection_init","payload":{"a":${'['.repeat(100_000)}`],
    { close: [1009, 4400] },
  ),
  socket(
    '2 MiB after the token',
    [
      ...opened,
      frame(
        `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":{"a":"${'a'.repeat(2 << 20)}"}}}`,
      ),
    ],
    { close: 1009 },
  ),
  socket(
    '300 nested lists after the token',
    [...opened, `{"type":"ping","payload":{"a":${'['.repeat(300)}${']'.repeat(300)}}}`],
    { close: [4400, 1008, 1009] },
  ),
  socket('a binary frame', [frame(Buffer.from([1, 2, 3]), { opcode: 2 })], {
    close: [1003, 4400, 1007, 1002],
  }),
];

const malformed = { close: 4400 } as const;
const texts: readonly AttackCase[] = [
  ['nothing', ''],
  ['no JSON', 'hello'],
  ['null', 'null'],
  ['a list', '[]'],
  ['a number', '1'],
  ['an object without a type', '{}'],
  ['an unknown type', message('attack')],
  ['a type that is a number', '{"type":1}'],
  ['a prototype', '{"type":"__proto__"}'],
  ['an answer of the server', message('next', { id: '1', payload: {} })],
  ['an acknowledgement of the server', message('connection_ack')],
  ['a token that is a text', '{"type":"connection_init","payload":"x"}'],
  ['a payload that is a list', '{"type":"connection_init","payload":[]}'],
].map(([what, text]) => socket(`a message of ${what}`, [text as string], malformed));

const afterToken: readonly AttackCase[] = [
  ['an operation without an id', message('subscribe', { payload: { query: stream } })],
  ['an operation with an empty id', message('subscribe', { id: '', payload: { query: stream } })],
  ['an operation with a number as its id', message('subscribe', { id: 1, payload: { query: stream } })],
  ['an operation without a payload', message('subscribe', { id: '1' })],
  ['an operation with a list as its payload', message('subscribe', { id: '1', payload: [] })],
  ['a query that is a number', subscribe(7)],
  [
    'variables that are a text',
    message('subscribe', { id: '1', payload: { query: stream, variables: 'x' } }),
  ],
  [
    'extensions that are a text',
    message('subscribe', { id: '1', payload: { query: stream, extensions: 'x' } }),
  ],
  [
    'an operation name that is a list',
    message('subscribe', { id: '1', payload: { query: stream, operationName: [] } }),
  ],
  ['an end without an id', message('complete')],
  ['an answer of the server after the token', message('next', { id: '1', payload: {} })],
  ['an error of the server after the token', message('error', { id: '1', payload: [] })],
].map(([what, text]) => socket(what as string, [...opened, text as string], malformed));

const order: readonly AttackCase[] = [
  socket('an operation before the token', [subscribe(stream)], { close: 4401 }),
  socket(
    'an operation after the end of another, before the token',
    [message('complete', { id: '1' }), subscribe(stream)],
    { close: 4401 },
  ),
  socket('two tokens', [...opened, message('connection_init', { payload: {} })], { close: 4429 }),
  socket('two tokens at once', ['INIT', 'INIT'], { close: 4429 }),
  socket('two operations with one id', [...opened, subscribe(stream), subscribe(stream)], { close: 4409 }),
  socket('no token', ['INIT'], { close: 4403 }, { as: 'nobody' }),
  socket('an expired token on a socket', ['INIT'], { close: 4403 }, { as: 'expired' }),
  socket('a call token on a socket', ['INIT'], { close: 4403 }, { as: 'call' }),
  socket('a token of an attempt on a socket', ['INIT'], { close: 4403 }, { as: 'attempt' }),
  socket('a token of nonsense', [message('connection_init', { payload: { authorization: 'Bearer x' } })], {
    close: 4403,
  }),
  socket(
    'a token that is a list',
    [message('connection_init', { payload: { authorization: ['Bearer x'] } })],
    { close: [4400, 4403] },
  ),
  socket(
    'a token of 60 KiB',
    [message('connection_init', { payload: { authorization: `Bearer ${'a'.repeat(60_000)}` } })],
    { close: [1009, 4403] },
  ),
];

const operations: readonly AttackCase[] = [
  socket('a broken document on a socket', [...opened, subscribe('{')], {
    message: 'error',
    code: 'GRAPHQL_PARSE_FAILED',
  }),
  socket('an unknown field on a socket', [...opened, subscribe('{ viwer }')], {
    message: 'error',
    code: 'GRAPHQL_VALIDATION_FAILED',
  }),
  socket(
    'an unknown hash on a socket',
    [
      ...opened,
      message('subscribe', {
        id: '1',
        payload: { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: 'b'.repeat(64) } } },
      }),
    ],
    { message: 'error', code: 'PERSISTED_QUERY_NOT_FOUND' },
  ),
  socket(
    '1,000 aliases on a socket',
    [...opened, subscribe(`{ ${Array.from({ length: 1000 }, (_, at) => `a${at}: __typename`).join(' ')} }`)],
    { message: 'error' },
  ),
  socket(
    'a forbidden mutation on a socket',
    [
      ...opened,
      subscribe('mutation { createQueue(input: { name: "socket", site: "POLE" }) { userErrors { code } } }'),
    ],
    { says: /FORBIDDEN/ },
  ),
  socket(
    'the commands of a foreign worker',
    [...opened, subscribe('subscription { workerCommands(workerId: "worker_nowhere") { sequence } }')],
    { message: 'error' },
    { as: 'pilot' },
  ),
  socket(
    'the log of a job that is nowhere',
    [...opened, subscribe('subscription { jobLogAppended(jobId: "job_nowhere") { cursor } }')],
    { message: 'error' },
  ),
  socket(
    'a stream from a forged cursor',
    [...opened, subscribe('subscription { jobStateChanged(after: "forged") { cursor } }')],
    { message: 'error' },
  ),
  socket(
    'a stream from a cursor of 10 KiB',
    [...opened, subscribe(`subscription { jobStateChanged(after: "${'a'.repeat(10_000)}") { cursor } }`)],
    { message: 'error' },
  ),
  socket(
    'an end of an operation that is nowhere',
    [...opened, message('complete', { id: '99' }), message('ping')],
    { message: 'pong' },
  ),
  socket(
    'a ping with a payload of 10 KiB',
    [...opened, message('ping', { payload: { a: 'a'.repeat(10_000) } })],
    { message: 'pong' },
  ),
];

/** All of them. */
export const socketCases: readonly AttackCase[] = [
  ...handshakes,
  ...frames,
  ...texts,
  ...afterToken,
  ...order,
  ...operations,
];
