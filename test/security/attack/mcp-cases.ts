/** The endpoint for assistants: callers without a token for it, and requests of pages and scripts. */
import { type Caller, callers } from './attackers.js';
import type { AttackCase } from './case.js';
import { http } from './http.js';

const at = { at: 'identities', path: '/mcp' } as const;
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
const nothing = /inputSchema|subscriptionId/;

/** Tokens for the API are none for this endpoint, whatever their rights. */
const strangers = callers.map((as: Caller) =>
  http(`the tools by ${as}`, { ...at, as, body: list }, { status: 401, hides: nothing }),
);

const requests: readonly AttackCase[] = [
  http('a batch', { ...at, body: [list, list] }, { status: 401, hides: nothing }),
  http('another host', { ...at, headers: { host: 'rebound.test' }, body: list }, { status: 403 }),
  http(
    'a page of another site',
    { ...at, headers: { origin: 'https://evil.test' }, body: list },
    { status: 403 },
  ),
  http('a form', { ...at, headers: { 'content-type': 'text/plain' }, body: 'x' }, { status: 415 }),
  ...['GET', 'PUT', 'DELETE', 'HEAD'].map((method) =>
    http(`the method ${method} at /mcp`, { ...at, method, body: null }, { status: 405 }),
  ),
  http(
    'the session of a browser',
    { ...at, headers: { cookie: '__Host-rhizome=x', 'x-rhizome-csrf': '1' }, body: list },
    { status: [401, 403], hides: nothing },
  ),
  http(
    'the metadata',
    { at: 'identities', method: 'GET', path: '/.well-known/oauth-protected-resource/mcp' },
    { status: 200, says: /"resource":"http:\/\/127\.0\.0\.1:\d+\/mcp"/ },
  ),
];

/** All cases. */
export const mcpCases: readonly AttackCase[] = [...strangers, ...requests];
