import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier, type Verifier } from '@rhizome/authz';
import { createProofKey, type ProofKey, type TestTokens, testTokens } from '@rhizome/testkit';
import { calculateJwkThumbprint, decodeJwt } from 'jose';
import { WebSocket } from 'ws';
import { csrfHeader, sessionCookie } from '../policy/index.js';
import {
  type GatewayIdentitySystem,
  otherIdentity,
  ownIssuer,
  postForm,
  startIdentitySystem,
  trustIssuer,
} from '../testing/identity-system.js';
import { post } from '../testing/post.js';
import { startTestSystem } from '../testing/test-system.js';

// Limits of credentials at /graphql, on sockets and at /metrics before anything of them is verified.

const burst = 4;
const rates = { address: { operations: { perSecond: 0.001, burst } } };
const query = '{ items { id } }';

let identities: GatewayIdentitySystem;
let outside: TestTokens;
beforeAll(async () => {
  identities = await startIdentitySystem();
  outside = await testTokens('https://outside.test');
  await trustIssuer(identities);
});

/** A gateway that allows an address a few failures, as after its start. */
async function startGateway() {
  const identity = await otherIdentity(identities);
  const { trusted, revocations } = identity;
  const direct = {
    ...outside.trusted,
    alias: 'outside',
    experiments: '*',
    roles: ['ADMIN', 'READER'],
  } as const;
  const issuers = [trusted, direct];
  const verifier = createVerifier({ issuers, kinds: ['USER', 'WORKER'], revocations });
  const work = { signatures: 0 };
  const counting: Verifier = {
    revocations,
    verify: (token, beforeCheck) =>
      verifier.verify(token, async () => {
        await beforeCheck?.();
        work.signatures++;
      }),
  };
  const { served } = await startTestSystem({ verifier: counting, identity, rates });
  const headersOf = (token: string, scheme = 'Bearer') => ({ authorization: `${scheme} ${token}` });
  const ask = async (token: string, headers: Record<string, string> = {}) =>
    (await post(served.url, query, { ...headersOf(token), ...headers })).status;
  const askTimes = async (times: number, token: () => Promise<string>) => {
    const statuses: number[] = [];
    for (let n = 0; n < times; n++) statuses.push(await ask(await token()));
    return statuses;
  };
  return {
    ...{ served, work, ask, askTimes },
    exhaust: () => askTimes(burst, () => outside.foreign()),
    upgrade: (token: string) => upgradeStatus(served.wsUrl, headersOf(token)),
    metrics: async (token: string) =>
      (await fetch(new URL('/metrics', served.origin), { headers: headersOf(token) })).status,
  };
}

async function upgradeStatus(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
  socket.on('error', () => undefined);
  const refused = once(socket, 'unexpected-response').then(
    ([, response]) => (response as IncomingMessage).statusCode,
  );
  return Promise.race([once(socket, 'open').then(() => 101), refused]).finally(() => socket.terminate());
}

const userOf = (subject: string) => outside.human(subject, 'READER');

async function exchanged(sub: string): Promise<{ readonly own: string; readonly subjectToken: string }> {
  const { served } = await startGateway();
  const subjectToken = await identities.issuer.issue({ sub, client_id: undefined });
  const { body } = await postForm(served.origin, '/oauth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
  return { own: body.access_token, subjectToken };
}

interface Origin {
  readonly origin: string;
  readonly url: string;
}

/** A worker that was enrolled at a gateway. */
async function enrolledAt({ origin }: Origin) {
  const key = createProofKey();
  const { data } = await identities.ask(
    'mutation { inviteWorkers(input: { queue: "north", experiments: ["*"], uses: 1 }) { code } }',
  );
  const ask = async (grant: string, form: Record<string, string>) => {
    const grantType = `urn:rhizome:params:oauth:grant-type:${grant}`;
    const dpop = key.proof({ method: 'POST', url: `${origin}/oauth/token` });
    return (await postForm(origin, '/oauth/token', { grant_type: grantType, ...form }, { dpop })).body;
  };
  const { code } = data.inviteWorkers;
  const { access_token: token, enrolment_id: id } = await ask('enrolment', {
    queue: 'north',
    host: 'h',
    code,
  });
  return {
    token,
    renewed: async () => (await ask('worker', { enrolment_id: id })).access_token,
    statusAt: async ({ url }: Origin, presented: string) => {
      const dpop = key.proof({ method: 'POST', url, token: presented });
      return (await post(url, query, { authorization: `DPoP ${presented}`, dpop })).status;
    },
  };
}

async function registeredRobot(key: ProofKey): Promise<string> {
  const { d: _private, ...publicKey } = key.export();
  const input = {
    ...{ experiment: 'heron', name: `r${randomUUID().slice(0, 8)}`, roles: ['USER'] },
    ...{
      publicKey: JSON.stringify(publicKey),
      keyExpiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    },
  };
  const { data } = await identities.ask(
    'mutation ($input: RegisterRobotInput!) { registerRobot(input: $input) { robot { id } } }',
    { input },
  );
  return data.registerRobot.robot.id;
}

function robotAssertion(id: string, key: ProofKey): string {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return key.statement('JWT', { iss: id, sub: id, aud: ownIssuer, jti: randomUUID(), exp });
}

/** The assertion with another header: the signature does not count before the limits. */
function withoutKey(assertion: string, kid?: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid })).toString('base64url');
  return [header, ...assertion.split('.').slice(1)].join('.');
}

const robotToken = ({ origin }: Pick<Origin, 'origin'>, assertion: string) =>
  postForm(origin, '/oauth/token', {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });

const refusedAfter = (first: number) => [
  ...Array<number>(burst).fill(first),
  ...Array<number>(burst).fill(429),
];

describe('a gateway', () => {
  it('verifies no forged token after an address has used up its failures', async () => {
    const { work, askTimes } = await startGateway();
    expect(await askTimes(2 * burst, () => outside.foreign())).toEqual(refusedAfter(401));
    expect(work.signatures).toBe(burst);
  });

  it('verifies none at the opening of sockets and at /metrics', async () => {
    const { work, upgrade, metrics } = await startGateway();
    const statuses: (number | undefined)[] = [];
    for (let n = 0; n < 2 * burst; n++) statuses.push(await upgrade(await outside.foreign()));
    expect(statuses).toEqual(refusedAfter(101));
    expect(await metrics(await outside.foreign())).toBe(429);
    expect(work.signatures).toBe(burst);
  });

  it('verifies no more concurrent ones than may fail', async () => {
    const { work, ask } = await startGateway();
    const tokens = await Promise.all(Array.from({ length: 5 * burst }, () => outside.foreign()));
    await Promise.all(tokens.map((token) => ask(token)));
    expect(work.signatures).toBe(burst);
  });

  it('charges them to the known holder that they name, and accepts its own token all the same', async () => {
    const { work, ask, askTimes } = await startGateway();
    const token = await outside.admin();
    expect(await ask(token)).toBe(200);
    // They name the same holder.
    expect(await askTimes(2 * burst, () => outside.foreign())).toEqual(refusedAfter(401));
    expect(await ask(token)).toBe(200);
    expect(await ask(await userOf('first-time'))).toBe(200);
    expect(work.signatures).toBe(burst + 2);
  });
});

describe('a gateway with a stranger behind the address of others', () => {
  it('verifies those that have succeeded, or that the store has', async () => {
    const dan = await exchanged('dan');
    const { served, ask, exhaust, upgrade, metrics } = await startGateway();
    expect(await ask(await userOf('ann'))).toBe(200);
    await exhaust();
    expect(await ask(await userOf('ann'))).toBe(200);
    expect(await ask(dan.own)).toBe(200);
    const stranger = await userOf('stranger');
    expect([await ask(stranger), await upgrade(stranger), await metrics(stranger)]).toEqual([429, 429, 429]);
    expect(await upgrade(await userOf('ann'))).toBe(101);

    const worker = await enrolledAt(served);
    expect(await worker.statusAt(served, worker.token)).toBe(200);
  });

  it('verifies the renewed tokens of a worker that a stranger names, whether or not the worker has succeeded before', async () => {
    const { served, ask } = await startGateway();
    const worker = await enrolledAt(served);
    expect(await worker.statusAt(served, worker.token)).toBe(200);
    const other = await startGateway();
    // The name of a worker, and even of its enrolment, is no secret; its key is none of the stranger's.
    const forged = () =>
      createProofKey().statement('rhizome-worker+jwt', {
        ...decodeJwt(worker.token),
        ...{ cnf: { jkt: 'x'.repeat(43) }, nonce: randomUUID() },
      });
    for (let n = 0; n < 2 * burst; n++) {
      await ask(forged());
      await other.ask(forged());
    }
    expect([await ask(forged()), await other.ask(forged())]).toEqual([429, 429]);
    const renewed = await worker.renewed();
    expect(renewed).not.toBe(worker.token);
    expect(await worker.statusAt(served, renewed)).toBe(200);
    expect(await worker.statusAt(other.served, renewed)).toBe(200);
  });

  it('gives a robot its tokens while a stranger fails with its name, whether or not the robot has succeeded before', async () => {
    const key = createProofKey();
    const id = await registeredRobot(key);
    const [{ served }, other] = [await startGateway(), await startGateway()];
    const gateways = [served, other.served];
    const own = () => robotAssertion(id, key);
    expect((await robotToken(served, own())).status).toBe(200);
    // The name of a robot is no secret; its key is none of the stranger's.
    const forged = [
      () => robotAssertion(id, createProofKey()),
      () => withoutKey(robotAssertion(id, createProofKey())),
      () => withoutKey(robotAssertion(id, createProofKey()), 'x'.repeat(43)),
    ];
    for (const gateway of gateways)
      for (const text of forged) for (let n = 0; n < 2 * burst; n++) await robotToken(gateway, text());
    for (const gateway of gateways) {
      for (const text of forged) expect((await robotToken(gateway, text())).status).toBe(429);
      expect((await robotToken(gateway, own())).status).toBe(200);
    }
  });

  it('gives it none while the stranger names its key, too: the work for a name is bounded', async () => {
    const key = createProofKey();
    const id = await registeredRobot(key);
    const { served, exhaust } = await startGateway();
    await exhaust();
    const { d: _private, ...publicKey } = key.export();
    const kid = await calculateJwkThumbprint(publicKey);
    const statuses: number[] = [];
    for (let n = 0; n < 2 * burst; n++) {
      const text = withoutKey(robotAssertion(id, createProofKey()), kid);
      statuses.push((await robotToken(served, text)).status);
    }
    expect(statuses).toEqual(refusedAfter(400));
    expect((await robotToken(served, robotAssertion(id, key))).status).toBe(429);
  });

  it('accepts their sessions of the dashboard', async () => {
    const { subjectToken } = await exchanged('eve');
    const { webSessions, outside: accepted } = identities.identity;
    const session = await webSessions.start(await accepted.accept(subjectToken));
    const { served, exhaust } = await startGateway();
    await exhaust();
    const statusOf = async (id: string) => {
      const headers = { cookie: `${sessionCookie}=${id}`, [csrfHeader]: '1', origin: served.origin };
      return (await post(served.url, query, headers)).status;
    };
    expect([await statusOf(session), await statusOf('x'.repeat(43))]).toEqual([200, 429]);
  });
});
