import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createTokenIssuer,
  createVerifier,
  type Role,
  type TokenIssuer,
  type Verifier,
} from '@rhizome/authz';
import { createLogger } from '@rhizome/log';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type DemoSubgraph, buildDemoSubgraph } from './demo-subgraph.fixture.js';
import { type ServedSubgraph, type ServeOptions, serveSubgraph } from '../servers/serve.js';

// A demo subgraph that is served for each test of a file; the exports are those of the running test.

const issuerName = 'https://issuer.example';
let folder: string;
export let issuer: TokenIssuer;
export let foreign: TokenIssuer;
export let verifier: Verifier;

export const tokenOf = (from: TokenIssuer, role: Role, ttlSeconds = 60) =>
  from.mint({
    subject: 'somebody',
    kind: 'HUMAN',
    grants: [{ experiment: 'alpha', roles: [role] }],
    ttlSeconds,
  });

export let demo: DemoSubgraph;
export let served: ServedSubgraph;
export let lines: string[];
let clients: Client[];

export async function serve(options: Partial<ServeOptions> = {}): Promise<void> {
  demo = buildDemoSubgraph();
  lines = [];
  clients = [];
  const log = createLogger({ name: 'demo', destination: { write: (line) => void lines.push(line) } });
  served = await serveSubgraph({ subgraph: demo.subgraph, verifier, log, ...options });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly data?: unknown;
    readonly errors?: readonly { message: string; path?: unknown; extensions: Record<string, unknown> }[];
  };
}

export async function post(query: string, token?: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(served.url, {
    method: 'POST',
    body: JSON.stringify({ query }),
    ...init,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(init.headers as Record<string, string> | undefined),
    },
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Answer['body'],
  };
}

/** Serves a demo subgraph before each test of the file, and stops it afterwards. */
export function serveDemoSubgraphs(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rhizome-serve-'));
    issuer = await createTokenIssuer({ keyFile: join(folder, 'own.json'), issuer: issuerName });
    foreign = await createTokenIssuer({ keyFile: join(folder, 'foreign.json'), issuer: issuerName });
    verifier = createVerifier({ issuers: [{ issuer: issuerName, jwks: issuer.jwks() }] });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  beforeEach(() => serve());
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.dispose()));
    await served.close();
  });
}

/** Waits for an event in this process, on the other side of a socket. */
export async function until(happened: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!happened()) {
    if (performance.now() > deadline) throw new Error('it did not happen within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const get = async (path: string): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(new URL(path, served.url));
  return { status: response.status, body: await response.json() };
};

export function socketClient(
  token: string | undefined,
): Client & { readonly closed: Promise<{ code: number; reason: string }> } {
  let resolveClosed: (event: { code: number; reason: string }) => void = () => undefined;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => (resolveClosed = resolve));
  const client = createClient({
    url: served.wsUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: token === undefined ? {} : { authorization: `Bearer ${token}` },
    on: {
      closed: (event) => {
        const { code, reason } = event as { code: number; reason: string };
        resolveClosed({ code, reason });
      },
    },
  });
  clients.push(client);
  return Object.assign(client, { closed });
}

export const plantStream = { query: 'subscription { plantChanged { cursor plant { name } } }' };
