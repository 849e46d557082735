// A pilot that is enrolled with a client certificate (RFC 8705) at a gateway that ends TLS itself.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createProofKey } from '@rhizome/client';
import { type TestProcess, waitFor } from '@rhizome/testkit';
import { decodeJwt } from 'jose';
import { WebSocket } from 'ws';
import { type AnyData, mutationText } from '../e2e/system/api.js';
import { type IdentitySystem, prepareWork, startIdentitySystem } from '../e2e/system/identity-system.js';
import { runPilot } from '../e2e/system/pilots.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { credentialOf, enrol } from './enrolled-pilots.js';

interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
  readonly thumbprint: string;
}

let folder: string;
let server: Certificate;
let own: Certificate;
let stranger: Certificate;
let system: IdentitySystem;
let url: string;

/** Makes a self-signed certificate. */
async function certificate(name: string): Promise<Certificate> {
  const files = { keyFile: join(folder, `${name}.key`), certFile: join(folder, `${name}.pem`) };
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const out = ['-keyout', files.keyFile, '-out', files.certFile];
  execFileSync('openssl', ['req', '-x509', ...options, ...names, ...out], { stdio: 'ignore' });
  await chmod(files.keyFile, 0o600);
  const [cert, key] = await Promise.all([readFile(files.certFile, 'utf8'), readFile(files.keyFile, 'utf8')]);
  const hex = new X509Certificate(cert).fingerprint256.replaceAll(':', '');
  return { ...files, cert, key, thumbprint: Buffer.from(hex, 'hex').toString('base64url') };
}

beforeAll(async () => {
  folder = await temporaryFolder('mutual-tls');
  [server, own, stranger] = await Promise.all([
    certificate('localhost'),
    certificate('worker'),
    certificate('stranger'),
  ]);
  const { certFile, keyFile } = server;
  const tls = { certFile, keyFile, requestsClientCertificates: true };
  system = await startIdentitySystem({ folder, tls });
  url = system.url;
  await prepareWork({ change });
});

interface Sent {
  readonly path?: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly by?: Certificate;
}

interface Received {
  readonly status: number | undefined;
  readonly answer: AnyData;
}

function send({ path = '/graphql', body, headers = {}, by }: Sent): Promise<Received> {
  const credentials = by && { cert: by.cert, key: by.key };
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', ca: server.cert, headers, agent: false as const, ...credentials };
    const sent = request(new URL(path, url), options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode, answer: JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const json = { 'content-type': 'application/json' };

async function ask(query: string, variables: object = {}) {
  const headers = { ...json, authorization: `Bearer ${system.admin}` };
  return (await send({ body: JSON.stringify({ query, variables }), headers })).answer;
}

async function change<T>(field: string, input: object, selection = ''): Promise<T> {
  const { data } = await ask(mutationText(field, `${selection} userErrors { message }`), { input });
  expect(data[field].userErrors).toEqual([]);
  return data[field];
}

/** A heartbeat with a token. */
const heartbeat = (workerId: string, headers: Record<string, string>, by?: Certificate) =>
  send({
    body: JSON.stringify({
      query: 'mutation ($id: ID!) { heartbeat(input: { workerId: $id }) { userErrors { code } } }',
      variables: { id: workerId },
    }),
    headers: { ...json, ...headers },
    ...(by && { by }),
  });

const renewal = (enrolmentId: string, by: Certificate) =>
  send({
    path: '/oauth/token',
    body: String(
      new URLSearchParams({
        grant_type: 'urn:rhizome:params:oauth:grant-type:worker',
        enrolment_id: enrolmentId,
      }),
    ),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    by,
  });

/** The type of the first message on a socket, or the reason with which it was closed. */
async function opened(token: string, by?: Certificate): Promise<string> {
  const credentials = by && { cert: by.cert, key: by.key };
  const socket = new WebSocket(url.replace(/^http/, 'ws'), ['graphql-transport-ws'], {
    ca: server.cert,
    ...credentials,
  });
  const answer = new Promise<string>((resolve, reject) => {
    socket.once('message', (data) => resolve((JSON.parse(String(data)) as { type: string }).type));
    socket.once('close', (_code, reason) => resolve(String(reason)));
    socket.once('error', reject);
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  return answer.finally(() => socket.terminate());
}

describe('a pilot with a client certificate', () => {
  let pilot: TestProcess;
  let workerId: string;
  let enrolmentId: string;

  it('enrols with it, registers its worker, and runs jobs', async () => {
    const env = { NODE_EXTRA_CA_CERTS: server.certFile };
    const place = { url, data: folder, token: system.admin };
    const { code } = await change<{ code: string }>(
      'inviteWorkers',
      { queue: 'north', experiments: ['*'] },
      'code',
    );
    const codeFile = join(folder, 'code');
    await writeFile(codeFile, code, { mode: 0o600 });
    const holder = ['--certificate-file', own.certFile, '--private-key-file', own.keyFile];
    const enrolled = enrol(place, 'one', ['--code-file', codeFile, ...holder], env);
    expect(await enrolled.exited).toMatchObject({ code: 0 });
    const credentialFile = credentialOf(place, 'one');
    const stored = JSON.parse(await readFile(credentialFile, 'utf8')) as {
      enrolmentId: string;
      key: unknown;
    };
    expect(stored.key).toBeNull();
    ({ enrolmentId } = stored);

    ({ process: pilot, workerId } = await runPilot(place, { name: 'one', credentialFile, cores: 1, env }));
    const submit = `mutation { submitJobs(input: { experiment: "alpha", idempotencyKey: "one", jobs: [
      { name: "one", payload: { command: "true" }, requirements: { queue: "north", memoryMiB: 64, diskMiB: 1 } }
    ] }) { jobs { id } userErrors { message } } }`;
    const [{ id }] = (await ask(submit)).data.submitJobs.jobs;
    const stateOf = async () =>
      (await ask('query ($id: ID!) { job(id: $id) { state } }', { id })).data.job.state;
    await waitFor('the end of the job', async () => (await stateOf()) === 'FINISHED', { deadlineMs: 60_000 });
  });

  it('has a token that is worth nothing without the certificate', async () => {
    const { status, answer } = await renewal(enrolmentId, own);
    expect({ status, type: answer.token_type }).toEqual({ status: 200, type: 'Bearer' });
    const token = String(answer.access_token);
    expect(decodeJwt(token)['cnf']).toEqual({ 'x5t#S256': own.thumbprint });
    const bearer = { authorization: `Bearer ${token}` };
    expect(await heartbeat(workerId, bearer, own)).toEqual({
      status: 200,
      answer: { data: { heartbeat: { userErrors: [] } } },
    });
    const proof = createProofKey().proof({ method: 'POST', url, token });
    for (const [headers, by] of [
      [bearer, undefined],
      [bearer, stranger],
      [{ authorization: `DPoP ${token}`, dpop: proof }, own],
    ] as const) {
      const refused = await heartbeat(workerId, headers, by);
      expect(refused.status).toBe(401);
      expect(refused.answer.errors[0].extensions.code).toBe('UNAUTHENTICATED');
    }
    expect(await opened(token, own)).toBe('connection_ack');
    expect(await opened(token)).toBe('UNAUTHENTICATED');
    expect(await opened(token, stranger)).toBe('UNAUTHENTICATED');
  });

  it('is renewed for the holder of the certificate only', async () => {
    expect(await renewal(enrolmentId, stranger)).toMatchObject({
      status: 400,
      answer: { error: 'invalid_grant' },
    });
    pilot.signal('SIGTERM');
    expect(await pilot.exited).toMatchObject({ code: 0 });
  });
});
