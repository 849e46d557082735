// Administrators of an experiment name the address of its service. The gateway must not become their
// telescope into the network of the deployment.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildGateway, EndpointPolicy, overNetwork, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { leftovers, testDatabase, testMongo, type TestTokens, testTokens } from '@rhizome/testkit';
import { apiOf } from '../e2e/system/api.js';

const secret = 'METADATA role=admin key=SECRET';
let tokens: TestTokens;
let port: number;
const requests: IncomingMessage[] = [];

interface Answer {
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}
type Ask = (text: string, input: object, token: string) => Promise<Answer>;

const register = 'registerSubgraph(input: $input) { userErrors { code message } }';
const check = 'checkSchema(input: $input) { userErrors { code message } }';
const registerText = `mutation ($input: RegisterSubgraphInput!) { answer: ${register} }`;
const checkText = `mutation ($input: CheckSchemaInput!) { answer: ${check} }`;

beforeAll(async () => {
  tokens = await testTokens();
  const server = createServer((request, response) => {
    requests.push(request);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ errors: [{ message: secret }] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leftovers.defer('a service inside', () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  ({ port } = server.address() as AddressInfo);
});

async function gatewayWith(endpoints: EndpointPolicy): Promise<Ask> {
  const { databaseName: database } = await testDatabase('gateway');
  const built = await buildGateway({
    registry: { mongoUri: (await testMongo()).uri, database },
    transports: (name, url) => overNetwork(name, { url, calls: tokens.calls, endpoints }),
    calls: tokens.calls,
    endpoints,
    verifier: tokens.verifier,
    log: silentLogger(),
    planning: 'inline',
  });
  const served = await serveGateway(built, { port: 0 });
  leftovers.defer('the gateway', () => served.close(0));
  return async (query, input, token) =>
    (await apiOf(served.url, token).data<{ answer: Answer }>(query, { input })).answer;
}

describe('registerSubgraph', () => {
  it.each([
    'http://169.254.169.254/latest',
    'http://[::1]:4000/graphql',
    'http://127.0.0.1:4000/graphql',
    'http://10.0.0.1/graphql',
    'http://[fd00:ec2::254]/latest',
    'http://0x7f000001/graphql',
  ])('refuses an address inside: %s', async (endpoint) => {
    const ask = await gatewayWith(new EndpointPolicy([]));
    const admin = await tokens.human('a@rubin', { rubin: 'ADMIN' });
    const { userErrors } = await ask(registerText, { name: 'rubin', endpoint, typePrefix: 'Rubin' }, admin);
    expect(userErrors).toMatchObject([{ code: 'INVALID_VALUE' }]);
  });

  it('keeps a new address pending until an administrator of all experiments confirms it', async () => {
    const ask = await gatewayWith(new EndpointPolicy([], { isLocal: true }));
    const own = await tokens.human('a@rubin', { rubin: 'ADMIN' });
    const first = { name: 'rubin', endpoint: `http://127.0.0.1:${port}/graphql`, typePrefix: 'Rubin' };
    const moved = { ...first, endpoint: `http://127.0.0.1:${port}/elsewhere` };
    expect((await ask(registerText, first, own)).userErrors).toEqual([]);
    expect((await ask(registerText, moved, own)).userErrors).toMatchObject([{ code: 'APPROVAL_NEEDED' }]);
    await ask(checkText, { subgraph: 'rubin' }, own);
    expect(requests.at(-1)?.url).toBe('/graphql');
    expect((await ask(registerText, moved, await tokens.admin())).userErrors).toEqual([]);
    await ask(checkText, { subgraph: 'rubin' }, own);
    expect(requests.at(-1)?.url).toBe('/elsewhere');
  });
});

describe('checkSchema', () => {
  it('does not call a name that resolves to an address inside', async () => {
    const ask = await gatewayWith(new EndpointPolicy([]));
    const admin = await tokens.human('a@rubin', { rubin: 'ADMIN' });
    const endpoint = `http://localhost:${port}/graphql`;
    expect(
      (await ask(registerText, { name: 'rubin', endpoint, typePrefix: 'Rubin' }, admin)).userErrors,
    ).toEqual([]);
    const before = requests.length;
    const { userErrors } = await ask(checkText, { subgraph: 'rubin' }, admin);
    expect(userErrors).toMatchObject([{ code: 'ENDPOINT_DIFFERS' }]);
    expect(requests).toHaveLength(before);
  });

  it('returns no text of the service, and sends it no token of the caller', async () => {
    const ask = await gatewayWith(new EndpointPolicy(['localhost']));
    const admin = await tokens.human('a@rubin', { rubin: 'ADMIN' });
    const endpoint = `http://localhost:${port}/graphql`;
    await ask(registerText, { name: 'rubin', endpoint, typePrefix: 'Rubin' }, admin);
    const { userErrors } = await ask(checkText, { subgraph: 'rubin' }, admin);
    expect(userErrors).toMatchObject([{ code: 'ENDPOINT_DIFFERS' }]);
    expect(JSON.stringify(userErrors)).not.toMatch(/SECRET|status/);
    expect(JSON.stringify(requests.at(-1)?.headers)).not.toContain(admin);
  });
});
