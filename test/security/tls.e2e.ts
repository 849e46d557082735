// A gateway that ends TLS itself, and a subgraph behind it that does, too.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { compose, sharedSdl } from '@rhizome/schema';
import { buildSubgraph, serveSubgraph } from '@rhizome/subgraph';
import { leftovers, spawnProcess, type TestTokens, testTokens } from '@rhizome/testkit';
import { parse } from 'graphql';
import { WebSocket } from 'ws';

const program = fileURLToPath(new URL('./bin.js', import.meta.resolve('@rhizome/gateway')));
const open = { open: 'a test' } as const;
let tokens: TestTokens;
let ca: Buffer;
let url: string;
let env: Record<string, string>;

const subgraph = buildSubgraph({
  name: 'core',
  typeDefs: parse(`${sharedSdl()} type Query { "A greeting." hello: String }
    type Subscription { "Numbers." counted: Int }`),
  policies: { 'Query.hello': open, 'Subscription.counted': open },
  resolvers: {
    Query: { hello: () => 'world' },
    Subscription: {
      counted: {
        subscribe: async function* () {
          yield await Promise.resolve(1);
        },
        resolve: (number: unknown) => number,
      },
    },
  },
});

beforeAll(async () => {
  tokens = await testTokens();
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-tls-'));
  leftovers.defer('the certificate', () => rm(folder, { recursive: true, force: true }));
  const tls = { keyFile: join(folder, 'key.pem'), certFile: join(folder, 'cert.pem') };
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', tls.keyFile, '-out', tls.certFile];
  execFileSync('openssl', ['req', '-x509', ...options, ...names, ...files], { stdio: 'ignore' });
  ca = await readFile(tls.certFile);
  const verifier = tokens.callVerifier('core');
  const served = await serveSubgraph({ subgraph, verifier, log: silentLogger(), tls, drainMs: 100 });
  leftovers.defer('the subgraph', () => served.close());
  const composed = compose([{ name: 'core', url: served.url, sdl: subgraph.sdl }]);
  if (!composed.ok) throw new Error(JSON.stringify(composed.faults));
  await writeFile(join(folder, 'supergraph.graphql'), composed.supergraphSdl);
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(tokens.trusted.jwks));
  const issuer = { issuer: tokens.trusted.issuer, jwksFile: join(folder, 'jwks.json') };
  env = {
    RHIZOME_GATEWAY_SUPERGRAPH: join(folder, 'supergraph.graphql'),
    RHIZOME_GATEWAY_PORT: '0',
    RHIZOME_GATEWAY_ISSUERS: JSON.stringify([issuer]),
    RHIZOME_GATEWAY_CALL_KEY_FILE: tokens.callKeyFile,
    RHIZOME_GATEWAY_TLS_KEY_FILE: tls.keyFile,
    RHIZOME_GATEWAY_TLS_CERT_FILE: tls.certFile,
    NODE_EXTRA_CA_CERTS: tls.certFile,
  };
  const gateway = spawnProcess({ name: 'gateway', command: 'node', args: [program], env });
  [, url = ''] = await gateway.line(/^rhizome-gateway: (https\S+)$/, 60_000);
});

async function post(query: string): Promise<{ response: IncomingMessage; body: unknown }> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${await tokens.admin()}` };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ca, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ response, body: JSON.parse(text) as unknown }));
    });
    sent.on('error', reject).end(JSON.stringify({ query }));
  });
}

describe('a gateway with TLS', () => {
  it('answers by https, calls its subgraph by https, and asks browsers to stay with it', async () => {
    const { response, body } = await post('{ hello }');
    expect(body).toEqual({ data: { hello: 'world' } });
    expect(response.headers['strict-transport-security']).toMatch(/max-age=\d{8}/);
  });

  it('streams by wss from a subgraph by wss', async () => {
    const authorization = `Bearer ${await tokens.admin()}`;
    const socket = new WebSocket(url.replace('https', 'wss'), 'graphql-transport-ws', { ca });
    const data = await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } })),
      );
      socket.on('message', (message) => {
        const { type, payload } = JSON.parse(String(message)) as { type: string; payload?: unknown };
        const query = 'subscription { counted }';
        if (type === 'connection_ack')
          socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
        if (type === 'next' || type === 'error') resolve(payload);
      });
    });
    socket.terminate();
    expect(data).toEqual({ data: { counted: 1 } });
  });
});

describe('a gateway without TLS', () => {
  it.each([
    [
      'on an address that others reach',
      { RHIZOME_GATEWAY_HOST: '0.0.0.0' },
      /host: 0\.0\.0\.0 .* without TLS/,
    ],
    [
      'to a subgraph on another host',
      { RHIZOME_GATEWAY_SUBGRAPHS: '{"core":{"url":"http://core.example/graphql"}}' },
      /subgraphs\.core\.url: .* is not secure/,
    ],
  ])('does not start %s', async (_what, over, expected) => {
    const plain = { ...env, RHIZOME_GATEWAY_TLS_KEY_FILE: '', RHIZOME_GATEWAY_TLS_CERT_FILE: '', ...over };
    const gateway = spawnProcess({ name: 'gateway', command: 'node', args: [program], env: plain });
    expect((await gateway.exited).code).toBe(1);
    expect(gateway.stderr.join('\n')).toMatch(expected);
  });
});
