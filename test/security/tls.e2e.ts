// A gateway that ends TLS itself, subgraphs behind it that do, too, and the command line before it.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { compose, sharedSdl } from '@rhizome/schema';
import { buildSubgraph, serveSubgraph } from '@rhizome/subgraph';
import { leftovers, spawnProcess, type TestTokens, testTokens, waitFor } from '@rhizome/testkit';
import { parse } from 'graphql';
import { WebSocket } from 'ws';
import { type AnyData, mutationText } from '../e2e/system/api.js';
import { programOf } from '../e2e/system/program-of.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { experimentInputs } from './experiment-inputs.js';
import {
  type Certificate,
  cliProgram,
  type ServicesWithTls,
  startServicesWithTls,
} from './services-with-tls.js';

const program = programOf('@rhizome/gateway');
const open = { open: 'a test' } as const;
let tokens: TestTokens;
let ca: Buffer;
let url: string;
let env: Record<string, string>;
let certificate: Certificate;

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
  certificate = tls;
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

interface Posted {
  readonly response: IncomingMessage;
  readonly body: unknown;
}

async function post(query: string): Promise<Posted> {
  return postTo(url, await tokens.admin(), query);
}

function postTo(address: string, token: string, query: string, variables: object = {}): Promise<Posted> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const sent = request(address, { method: 'POST', ca, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ response, body: JSON.parse(text) as unknown }));
    });
    sent.on('error', reject).end(JSON.stringify({ query, variables }));
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

describe('a deployment with TLS in every service', () => {
  let services: ServicesWithTls;
  let token: string;
  beforeAll(async () => {
    services = await startServicesWithTls(await temporaryFolder('tls-services'), certificate);
    token = await services.identities.newcomer();
  });

  /** Runs a command. @param trusted certificates that it trusts in addition to those of the system */
  const command = async (args: readonly string[], trusted: Record<string, string>) => {
    const own = {
      RHIZOME_URL: services.url,
      RHIZOME_TOKEN: token,
      XDG_CONFIG_HOME: dirname(certificate.keyFile),
    };
    const started = spawnProcess({
      ...{ name: `rhizome ${args.join(' ')}`, command: 'node', args: [cliProgram, ...args] },
      env: { ...own, ...trusted },
    });
    const { code } = await started.exited;
    return { code, output: [...started.lines, ...started.stderr].join('\n') };
  };

  it('speaks https only, from the gateway to core, and from an experiment to the gateway', async () => {
    expect([services.url, ...services.behind].filter((one) => !one.startsWith('https://'))).toEqual([]);
    const ask = async (text: string, input: object): Promise<AnyData> => {
      const { body } = await postTo(services.url, token, text, { input });
      return body;
    };
    await waitFor(
      'the services',
      async () => {
        const answer = await ask('{ experiments { nodes { name } } }', {});
        return answer.errors === undefined;
      },
      { deadlineMs: 120_000 },
    );
    const made = await ask(mutationText('registerExperiment', 'userErrors { message }'), {
      ...{ name: 'larkspur', title: 'Larkspur' },
    });
    expect(made.data.registerExperiment.userErrors).toEqual([]);
    await ask(mutationText('allowSubmissionOnBehalf', 'userErrors { message }'), { experiment: 'larkspur' });
    // The service submits to core, through the gateway.
    const input = { ...experimentInputs['submitLarkspurObservation']?.(), idempotencyKey: 'tls' };
    const text = mutationText('submitLarkspurObservation', 'observation { id } userErrors { message }');
    const submitted = await waitFor(
      'the service',
      async () => {
        const { data } = await ask(text, input);
        return data?.submitLarkspurObservation ?? undefined;
      },
      { deadlineMs: 120_000 },
    );
    expect(submitted).toEqual({ observation: { id: expect.any(String) }, userErrors: [] });
    await waitFor(
      'its jobs in core',
      async () => {
        const { data } = await ask('{ jobs(filter: { experiments: ["larkspur"] }) { totalCount } }', {});
        return data.jobs.totalCount > 0;
      },
      { deadlineMs: 120_000 },
    );
  });

  it('is used by the command line if it trusts the certificate', async () => {
    const trusted = { NODE_EXTRA_CA_CERTS: certificate.certFile };
    const made = await command(['queue', 'create', 'north', '--site', 'POLE'], trusted);
    expect(made).toMatchObject({ code: 0 });
    const listed = await command(['queues'], trusted);
    expect(listed).toMatchObject({ code: 0, output: expect.stringContaining('north') });
    const refused = await command(['queues'], {});
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/certificate/);
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
