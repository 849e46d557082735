import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { createProofKey, type ProofKey, waitFor } from '@rhizome/testkit';
import {
  type GatewayIdentitySystem,
  otherIdentity,
  postForm,
  startIdentitySystem,
} from '../testing/identity-system.js';
import { post } from '../testing/post.js';
import { RawSocket } from '../testing/raw-socket.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';
import { WebSocket } from 'ws';

const enrolment = 'urn:rhizome:params:oauth:grant-type:enrolment';
const worker = 'urn:rhizome:params:oauth:grant-type:worker';
const invite = `mutation ($input: InviteWorkersInput!) { inviteWorkers(input: $input) { code userErrors { message } } }`;

let identities: GatewayIdentitySystem;
let system: TestSystem;
beforeAll(async () => {
  identities = await startIdentitySystem();
  const { identity } = identities;
  const { trusted, revocations } = identity;
  const verifier = createVerifier({ issuers: [trusted], kinds: ['USER', 'WORKER'], revocations });
  system = await startTestSystem({ verifier, identity });
});

const code = async (): Promise<string> => {
  const { data } = await identities.ask(invite, { input: { queue: 'north', experiments: ['*'] } });
  return data.inviteWorkers.code;
};
const tokenUrl = () => `${system.served.origin}/oauth/token`;
const send = (form: Record<string, string>, key: ProofKey, url = tokenUrl()) =>
  postForm(system.served.origin, '/oauth/token', form, { dpop: key.proof({ method: 'POST', url }) });
const enrol = async (key: ProofKey) => {
  const { body } = await send({ grant_type: enrolment, queue: 'north', host: 'h', code: await code() }, key);
  return body;
};
const bound = (key: ProofKey, token: string, url = system.served.url) => ({
  authorization: `DPoP ${token}`,
  dpop: key.proof({ method: 'POST', url, token }),
});
const whoAmI = async (headers: Record<string, string>) => {
  const { status, body } = await post(system.served.url, '{ whoAmI }', headers);
  return {
    status,
    data: body.data,
    code: body.errors?.[0]?.extensions['code'],
    text: body.errors?.[0]?.message,
  };
};

describe('the enrolment of a worker over HTTP', () => {
  it('gives a credential that works with a proof by its key only, and each proof once', async () => {
    const key = createProofKey();
    const { access_token: token, worker_id: id, token_type: type } = await enrol(key);
    expect(type).toBe('DPoP');
    const headers = bound(key, token);
    expect(await whoAmI(headers)).toMatchObject({ status: 200, data: { whoAmI: `worker:${id}` } });
    expect(await whoAmI(headers)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await whoAmI({ authorization: `Bearer ${token}` })).toMatchObject({
      status: 401,
      code: 'UNAUTHENTICATED',
    });
    expect(await whoAmI({ authorization: `DPoP ${token}` })).toMatchObject({
      status: 401,
      code: 'UNAUTHENTICATED',
    });
    expect(await whoAmI(bound(createProofKey(), token))).toMatchObject({
      status: 401,
      code: 'UNAUTHENTICATED',
    });
    const elsewhere = bound(key, token, 'https://elsewhere.test/graphql');
    expect(await whoAmI(elsewhere)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await whoAmI(bound(key, token, 'https://rhizome.test/graphql'))).toMatchObject({ status: 200 });
  });

  it('opens a WebSocket with a proof in connection_init', async () => {
    const key = createProofKey();
    const { access_token: token } = await enrol(key);
    const proof = key.proof({ method: 'GET', url: system.served.wsUrl, token });
    const authorization = `DPoP ${token}`;
    expect(await answerOf({ authorization, dpop: proof })).toBe('connection_ack');
    expect(await answerOf({ authorization, dpop: proof })).toBe('UNAUTHENTICATED');
    expect(await answerOf({ authorization })).toBe('UNAUTHENTICATED');
    expect(await answerOf({ authorization: `Bearer ${token}` })).toBe('UNAUTHENTICATED');
  });

  it('accepts each proof at one of several gateways only', async () => {
    const key = createProofKey();
    const { access_token: token, enrolment_id: id } = await enrol(key);
    const other = await anotherGateway();
    const ask = (origin: string, headers: Record<string, string>) =>
      post(`${origin}/graphql`, '{ whoAmI }', headers);
    const proof = (nonce?: string) => ({
      authorization: `DPoP ${token}`,
      dpop: key.proof({ method: 'POST', url: 'https://rhizome.test/graphql', token, nonce }),
    });
    const plain = proof();
    const answer = await ask(system.served.origin, plain);
    expect(answer.status).toBe(200);
    expect((await ask(other.served.origin, plain)).status).toBe(401);

    const nonce = answer.headers.get('dpop-nonce') ?? '';
    const bound = proof(nonce);
    const elsewhere = await ask(other.served.origin, bound);
    expect(elsewhere).toMatchObject({ status: 401 });
    expect(elsewhere.headers.get('www-authenticate')).toBe('DPoP error="use_dpop_nonce"');
    expect((await ask(system.served.origin, bound)).status).toBe(200);
    expect((await ask(system.served.origin, bound)).status).toBe(401);

    const init = {
      authorization: `DPoP ${token}`,
      dpop: key.proof({ method: 'GET', url: 'wss://rhizome.test/graphql', token }),
    };
    expect(await answerOf(init)).toBe('connection_ack');
    expect(await answerOf(init, other.served.wsUrl)).toBe('UNAUTHENTICATED');

    const form = { grant_type: worker, enrolment_id: id };
    const dpop = { dpop: key.proof({ method: 'POST', url: 'https://rhizome.test/oauth/token' }) };
    expect(await postForm(system.served.origin, '/oauth/token', form, dpop)).toMatchObject({ status: 200 });
    expect(await postForm(other.served.origin, '/oauth/token', form, dpop)).toMatchObject({ status: 400 });
  });

  it('renews the token of an open WebSocket by a ping with a new proof', async () => {
    const key = createProofKey();
    const { access_token: token, enrolment_id: id } = await enrol(key);
    const proven = (given: string, by = key) => ({
      authorization: `DPoP ${given}`,
      dpop: by.proof({ method: 'GET', url: system.served.wsUrl, token: given }),
    });
    const socket = await RawSocket.ready(system.served.wsUrl, proven(token));
    const { body } = await send({ grant_type: worker, enrolment_id: id }, key);
    const ping = async (payload: object) => {
      socket.send({ type: 'ping', payload });
      return (await socket.next('pong')).payload;
    };
    const renewal = proven(body.access_token);
    expect(await ping(renewal)).toEqual({ expiresAt: expect.any(String) });
    expect(await ping(renewal)).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
    expect(await ping(proven(token, createProofKey()))).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
    expect(await ping({ authorization: `Bearer ${token}` })).toMatchObject({
      error: { code: 'UNAUTHENTICATED' },
    });
    const stranger = createProofKey();
    const { access_token: foreign } = await enrol(stranger);
    expect(await ping(proven(foreign, stranger))).toMatchObject({ error: { code: 'FORBIDDEN' } });
    expect(socket.isOpen).toBe(true);
    socket.close();
  });

  it('shows a request to an administrator, and gives a credential after the approval', async () => {
    const key = createProofKey();
    const first = await send({ grant_type: enrolment, queue: 'north', host: 'node-7' }, key);
    expect(first).toMatchObject({
      status: 400,
      body: { error: 'authorization_pending', thumbprint: key.thumbprint },
    });
    const list = `{ workerEnrolments(state: PENDING) { nodes { id host address thumbprint method } } }`;
    const { data } = await identities.ask(list);
    const id = first.body.enrolment_id;
    expect(data.workerEnrolments.nodes).toEqual([
      { id, host: 'node-7', address: '127.0.0.1', thumbprint: key.thumbprint, method: 'APPROVAL' },
    ]);
    const decide = `mutation ($input: DecideEnrolmentInput!) { decideEnrolment(input: $input) { enrolment { state queueName queue { name } experimentNames experiments { name } decidedBy { subject } workerId worker { id } } userErrors { code } } }`;
    const decision = { id, isApproved: true, experiments: ['heron'] };
    const decided = await identities.ask(decide, { input: decision });
    // The registry of this test has no core: only keys are selected, so nothing is read there.
    expect(decided.data.decideEnrolment).toEqual({
      enrolment: {
        state: 'APPROVED',
        queueName: 'north',
        queue: { name: 'north' },
        experimentNames: ['heron'],
        experiments: [{ name: 'heron' }],
        decidedBy: { subject: 'admin@example' },
        workerId: null,
        worker: null,
      },
      userErrors: [],
    });
    const second = await send({ grant_type: worker, enrolment_id: id }, key);
    expect(second).toMatchObject({ status: 200, body: { queue: 'north' } });
    const stranger = await send({ grant_type: worker, enrolment_id: id }, createProofKey());
    expect(stranger).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('ends with the enrolment, also for an open socket', async () => {
    const key = createProofKey();
    const { access_token: token, enrolment_id: id } = await enrol(key);
    const socket = new WebSocket(system.served.wsUrl, ['graphql-transport-ws']);
    const closed = new Promise<string>((resolve) =>
      socket.once('close', (_code, reason) => resolve(String(reason))),
    );
    await new Promise((resolve) => socket.once('open', resolve));
    const dpop = key.proof({ method: 'GET', url: system.served.wsUrl, token });
    socket.send(
      JSON.stringify({ type: 'connection_init', payload: { authorization: `DPoP ${token}`, dpop } }),
    );
    await new Promise((resolve) => socket.once('message', resolve));
    const end = `mutation ($input: EndEnrolmentInput!) { endEnrolment(input: $input) { enrolment { state } userErrors { code } } }`;
    expect((await identities.ask(end, { input: { id } })).data.endEnrolment).toEqual({
      enrolment: { state: 'ENDED' },
      userErrors: [],
    });
    const { data } = await identities.ask('{ revocations { kind value revokedBy { subject } } }');
    expect(data.revocations).toContainEqual({
      kind: 'LOGIN',
      value: id,
      revokedBy: { subject: 'admin@example' },
    });
    expect(await waitFor('the end of the socket', closed, { deadlineMs: 2000 })).toBe('TOKEN_REVOKED');
    expect(await whoAmI(bound(key, token))).toMatchObject({ status: 401, code: 'TOKEN_REVOKED' });
    expect(await send({ grant_type: worker, enrolment_id: id }, key)).toMatchObject({ status: 400 });
  });

  it.each<[string, Record<string, string>, string]>([
    ['a request without a proof', { grant_type: enrolment, queue: 'north', host: 'h' }, 'invalid_request'],
  ])('refuses %s', async (_, form, error) => {
    expect(await postForm(system.served.origin, '/oauth/token', form)).toMatchObject({
      status: 400,
      body: { error },
    });
  });
});

/** A second gateway on the same store, with services of its own. */
async function anotherGateway(): Promise<TestSystem> {
  const identity = await otherIdentity(identities);
  const { trusted, revocations } = identity;
  const verifier = createVerifier({ issuers: [trusted], kinds: ['USER', 'WORKER'], revocations });
  return startTestSystem({ verifier, identity });
}

/** The type of the first message of a socket, or the reason with which it was closed. */
async function answerOf(payload: object, url = system.served.wsUrl): Promise<string> {
  const socket = new WebSocket(url, ['graphql-transport-ws']);
  const answer = new Promise<string>((resolve) => {
    socket.once('message', (data) => resolve((JSON.parse(String(data)) as { type: string }).type));
    socket.once('close', (_code, reason) => resolve(String(reason)));
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  try {
    return await answer;
  } finally {
    socket.terminate();
  }
}
