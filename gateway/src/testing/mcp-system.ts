/** A test system with the endpoint for assistants, and official clients of both eras for it. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createVerifier, type Grant, type MintOptions } from '@rhizome/authz';
import { leftovers, type TestTokens, testTokens } from '@rhizome/testkit';
import { createMcpVerifier } from '../gateway-verifier.js';
import { startTestSystem, type TestSystem, type TestSystemOptions } from './test-system.js';

/** Address that tokens for the endpoint name; clients reach it on the loopback interface. */
export const mcpUrl = 'https://rhizome.test/mcp';

/** The protocol before and after its break of 2026. */
export type Era = 'legacy' | 'modern';

/** A running system. */
export interface McpSystem extends Omit<TestSystem, 'tokens'> {
  readonly tokens: TestTokens;
  /** Address of the endpoint. */
  readonly endpoint: string;
  /** A token for the endpoint. */
  token(options?: Partial<MintOptions>): Promise<string>;
  /** A connected client, closed at the end of the file. */
  client(era: Era, token?: string): Promise<Client>;
  /** Sends a body as it is. */
  send(body: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

const admin: readonly Grant[] = [{ experiment: '*', roles: ['ADMIN'] }];

/** Starts a system whose subgraphs offer these operations. */
export async function startMcpSystem(
  operations: Readonly<Record<string, string>>,
  options: TestSystemOptions = {},
): Promise<McpSystem> {
  const tokens = await testTokens();
  const issuers = [tokens.trusted];
  const system = await startTestSystem({
    verifier: createVerifier({ issuers }),
    mcp: {
      url: mcpUrl,
      verifier: createMcpVerifier({ issuers, url: mcpUrl }),
      authorizationServers: ['https://rhizome.test'],
      operations,
    },
    ...options,
  });
  const endpoint = new URL('/mcp', system.served.url).href;
  const token: McpSystem['token'] = (more = {}) =>
    tokens.mint({
      subject: 'ada@example',
      kind: 'HUMAN',
      grants: admin,
      audience: mcpUrl,
      ttlSeconds: 600,
      ...more,
    });
  return {
    ...system,
    tokens,
    endpoint,
    token,
    client: async (era, given) => connectClient(endpoint, era, given ?? (await token())),
    send: async (body, headers = {}) =>
      fetch(endpoint, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${await token()}`,
          ...headers,
        },
      }),
  };
}

/** A connected client, closed at the end of the file. */
export async function connectClient(endpoint: string, era: Era, token: string): Promise<Client> {
  const client = new Client(
    { name: 'tests', version: '1' },
    era === 'legacy' ? {} : { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint), { requestInit }));
  leftovers.defer('a client of the endpoint for assistants', () => client.close());
  return client;
}

/** Texts of a result. */
export function textsOf(result: object): readonly string[] {
  const { content = [] } = result as { readonly content?: readonly { readonly text?: string }[] };
  return content.map(({ text }) => text ?? '');
}
