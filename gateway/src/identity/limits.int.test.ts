import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier, signToken, writeRightsQuestion } from '@rhizome/authz';
import type { Identity } from '@rhizome/identity';
import { createProofKey, leftovers, type ProofKey, testMongo, testTokens } from '@rhizome/testkit';
import { csrfHeader, sessionCookie } from '../policy/index.js';
import {
  type GatewayIdentitySystem,
  otherIdentity,
  postForm,
  startIdentitySystem,
  trustIssuer,
} from '../testing/identity-system.js';
import { startTestSystem, type TestSystem, type TestSystemOptions } from '../testing/test-system.js';

// Limits of the endpoints of identities, through whole gateways with a real issuer and a real store.

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const enrolment = 'urn:rhizome:params:oauth:grant-type:enrolment';
const worker = 'urn:rhizome:params:oauth:grant-type:worker';
const burst = 4;
const never = 0.001;
const many = { perSecond: 1000, burst: 1000 };

let identities: GatewayIdentitySystem;
async function startIdentities(): Promise<void> {
  identities = await startIdentitySystem();
  await trustIssuer(identities);
}
beforeAll(startIdentities);

/** A gateway that allows an address a few failures. */
async function gatewayWith(
  { guesses = many, identity = identities.identity }: { guesses?: typeof many; identity?: Identity } = {},
  more: Partial<TestSystemOptions> = {},
) {
  const { trusted, revocations } = identity;
  const system = await startTestSystem({
    verifier: createVerifier({ issuers: [trusted], kinds: ['USER', 'WORKER'], revocations }),
    identity,
    rates: { address: { operations: { perSecond: never, burst }, guesses } },
    ...more,
  });
  return clientOf(system);
}

function clientOf(system: TestSystem) {
  const { origin } = system.served;
  const send = (form: Record<string, string>, key?: ProofKey) => {
    const proof = key?.proof({ method: 'POST', url: `${origin}/oauth/token` });
    return postForm(origin, '/oauth/token', form, proof === undefined ? {} : { dpop: proof });
  };
  return {
    origin,
    send,
    enrol: (key: ProofKey, code: string) =>
      send({ grant_type: enrolment, queue: 'north', host: 'h', code }, key),
    renew: (key: ProofKey, id: string) => send({ grant_type: worker, enrolment_id: id }, key),
    statusesOf: async (times: number, ask: () => Promise<{ readonly status: number }>) => {
      const statuses: number[] = [];
      for (let n = 0; n < times; n++) statuses.push((await ask()).status);
      return statuses;
    },
  };
}

const forged = { grant_type: exchange, subject_token: 'forged', subject_token_type: jwt };
const exchangeOf = async (sub: string) => ({
  grant_type: exchange,
  subject_token: await identities.issuer.issue({ sub, client_id: undefined }),
  subject_token_type: jwt,
});

async function invitation(): Promise<string> {
  const text = `mutation { inviteWorkers(input: { queue: "north", experiments: ["*"], uses: 50 }) { code } }`;
  return (await identities.ask(text)).data.inviteWorkers.code;
}

/** Number of stored documents of the database of identities. */
async function countOf(collection: string): Promise<number> {
  const { client } = await testMongo();
  return client.db(identities.store.database).collection(collection).countDocuments();
}

async function emptyDashboard(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-dashboard-'));
  leftovers.defer(folder, () => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'index.html'), '');
  return folder;
}

const once = [...Array<number>(burst).fill(400), ...Array<number>(burst).fill(429)];

describe('limits of the token endpoint', () => {
  it('charges failures to the address, and never cuts off those who have succeeded', async () => {
    const { send, enrol, renew, statusesOf } = await gatewayWith();
    const code = await invitation();
    const keys = Array.from({ length: 3 * burst }, () => createProofKey());
    const enrolled = await Promise.all(keys.map((key) => enrol(key, code)));
    expect((await send(await exchangeOf('ann'))).status).toBe(200);
    expect(await statusesOf(2 * burst, () => send(forged))).toEqual(once);
    const refused = await send({ grant_type: 'refresh_token', refresh_token: 'rhr_x' });
    expect(refused).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(100);
    const renewals = await Promise.all(
      keys.map((key, n) => renew(key, enrolled[n]?.body.enrolment_id ?? '')),
    );
    expect(renewals.map(({ status }) => status)).toEqual(keys.map(() => 200));
    expect((await send(await exchangeOf('ann'))).status).toBe(200);
    expect((await send(await exchangeOf('stranger'))).status).toBe(429);
  });

  it('knows keys, codes, logins, sessions and accounts after a start, whatever strangers send', async () => {
    const code = await invitation();
    const key = createProofKey();
    const before = await gatewayWith();
    const { body: worker } = await before.enrol(key, code);
    const login = await before.send({ ...(await exchangeOf('ann')), scope: 'offline_access' });
    const { webSessions, outside } = identities.identity;
    const session = await webSessions.start(await outside.accept((await exchangeOf('ann')).subject_token));
    const dashboardRoot = await emptyDashboard();
    const { origin, send, enrol, renew, statusesOf } = await gatewayWith({}, { dashboardRoot });
    await statusesOf(burst, () => send(forged));
    const guess = `rhr_login_${'0'.repeat(26)}_${'x'.repeat(43)}`;
    const strangers = [
      () => renew(createProofKey(), worker.enrolment_id),
      () => enrol(createProofKey(), 'rhi_guess'),
      () => send({ grant_type: 'refresh_token', refresh_token: guess }),
      async () => send(await exchangeOf('stranger')),
    ];
    for (const ask of strangers) expect(await statusesOf(burst, ask)).toEqual(Array(burst).fill(429));
    const refreshed = await send({ grant_type: 'refresh_token', refresh_token: login.body.refresh_token });
    expect(refreshed.status).toBe(200);
    expect((await send(await exchangeOf('ann'))).status).toBe(200);
    const headers = { cookie: `${sessionCookie}=${session}`, [csrfHeader]: '1' };
    expect((await fetch(`${origin}/auth/session`, { headers })).status).toBe(200);
    expect((await enrol(key, 'rhi_guess')).status).toBe(200);
    expect((await enrol(createProofKey(), code)).status).toBe(200);
    expect((await renew(key, worker.enrolment_id)).status).toBe(200);
  });

  it('counts the failures of a known code for this code', async () => {
    const code = await invitation();
    const { send, statusesOf } = await gatewayWith();
    await statusesOf(burst, () => send(forged));
    const misused = { grant_type: enrolment, queue: 'south', host: 'h', code };
    expect(await statusesOf(2 * burst, () => send(misused, createProofKey()))).toEqual(once);
  });

  it('verifies and writes nothing for a request that it refuses', async () => {
    let verified = 0;
    const { proofs } = identities.identity;
    const counting: Identity['proofs'] = {
      nonce: proofs.nonce,
      check: (...given) => (verified++, proofs.check(...given)),
      verify: (...given) => (verified++, proofs.verify(...given)),
    };
    const { renew, statusesOf } = await gatewayWith({
      identity: { ...identities.identity, proofs: counting },
    });
    const before = await countOf('usedProofs');
    const unknown = 'enr_01KB3F00000000000000000000';
    expect(await statusesOf(2 * burst, () => renew(createProofKey(), unknown))).toEqual(once);
    expect([verified, await countOf('usedProofs')]).toEqual([burst, before]);
  });

  it('charges nonces of other gateways and expired tokens, unless their holders are known', async () => {
    const { keys, outside } = identities.identity;
    const expired = async (subject: string) => {
      const holder = { subject, kind: 'HUMAN', grants: [], tokenId: `tok_${'0'.repeat(26)}.0` } as const;
      const token = await signToken({ ...holder, ttlSeconds: 1, issuedAt: new Date(0) }, await keys.signer());
      return { ...forged, subject_token: token };
    };
    const here = await gatewayWith();
    expect(await here.statusesOf(2 * burst, async () => here.send(await expired('usr_stranger')))).toEqual(
      once,
    );
    const there = await gatewayWith();
    const withNonce = async (key: ProofKey, id: string) => {
      const url = `${there.origin}/oauth/token`;
      const dpop = key.proof({ method: 'POST', url, nonce: 'x' });
      return postForm(there.origin, '/oauth/token', { grant_type: worker, enrolment_id: id }, { dpop });
    };
    const key = createProofKey();
    const { enrolment_id: id } = (await there.enrol(key, await invitation())).body;
    const { principalId: dan } = await outside.accept((await exchangeOf('dan')).subject_token);
    expect(await there.statusesOf(2 * burst, () => withNonce(createProofKey(), id))).toEqual(once);
    const free = Array<number>(2 * burst).fill(400);
    expect(await there.statusesOf(2 * burst, () => withNonce(key, id))).toEqual(free);
    expect(await there.statusesOf(2 * burst, async () => there.send(await expired(dan)))).toEqual(free);
  });

  it('verifies no more concurrent requests than may fail', async () => {
    const { renew } = await gatewayWith();
    const unknown = 'enr_01KB3F00000000000000000000';
    const all = await Promise.all(Array.from({ length: 5 * burst }, () => renew(createProofKey(), unknown)));
    expect(all.filter(({ status }) => status === 400)).toHaveLength(burst);
  });

  it('charges requests for an approval, which everybody can make', async () => {
    const { send, statusesOf } = await gatewayWith();
    const ask = () => send({ grant_type: enrolment, queue: 'north', host: 'h' }, createProofKey());
    expect(await statusesOf(2 * burst, ask)).toEqual(once);
  });

  it('charges successes to the key or the account that has them', async () => {
    const { send, enrol, renew, statusesOf } = await gatewayWith();
    const key = createProofKey();
    const { enrolment_id: id } = (await enrol(key, await invitation())).body;
    // The enrolment is the first.
    expect(await statusesOf(2 * burst, () => renew(key, id))).toEqual([
      ...Array<number>(burst - 1).fill(200),
      ...Array<number>(burst + 1).fill(429),
    ]);
    expect(await statusesOf(burst + 1, async () => send(await exchangeOf('bob')))).toEqual([
      ...Array<number>(burst).fill(200),
      429,
    ]);
    expect((await send(await exchangeOf('cid'))).status).toBe(200);
  });

  it('does not charge explanations of tokens that are accepted', async () => {
    const { origin, statusesOf } = await gatewayWith();
    const explain = (token: string) => postForm(origin, '/oauth/explain', { token });
    expect(await statusesOf(2 * burst, () => explain('forged'))).toEqual([
      ...Array<number>(burst).fill(200),
      ...Array<number>(burst).fill(429),
    ]);
    const other = await gatewayWith();
    for (const sub of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const { subject_token: token } = await exchangeOf(sub);
      expect((await postForm(other.origin, '/oauth/explain', { token })).status).toBe(200);
    }
  });
});

describe('limits of guesses', () => {
  // The failures of the other tests are in their store.
  beforeAll(startIdentities);

  it('does not count failed logins of the dashboard', async () => {
    const rates = { address: { operations: many, guesses: { perSecond: never, burst: 1 } } };
    const { origin, statusesOf } = await gatewayWith({}, { dashboardRoot: await emptyDashboard(), rates });
    const login = () => fetch(`${origin}/auth/callback?code=x&state=y`);
    expect(await statusesOf(3, login)).toEqual([401, 401, 401]);
    expect(await countOf('failedGuesses')).toBe(0);
  });

  it('holds over all gateways, and costs a success nothing', async () => {
    const guesses = { perSecond: 3 / 600, burst: 3 };
    const rates = { address: { operations: many, guesses } };
    const here = await gatewayWith({}, { rates });
    const there = await gatewayWith({ identity: await otherIdentity(identities) }, { rates });
    const key = createProofKey();
    const { enrolment_id: id } = (await here.enrol(key, await invitation())).body;
    expect(await countOf('failedGuesses')).toBe(0);
    expect(await here.statusesOf(3, () => here.enrol(createProofKey(), 'rhi_guess'))).toEqual([
      400, 400, 400,
    ]);
    const fourth = await there.enrol(createProofKey(), 'rhi_guess');
    expect(fourth).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } });
    expect(Number(fourth.headers.get('retry-after'))).toBeGreaterThan(60);
    // The store has the code of an invitation, but no account of a newcomer.
    expect((await there.enrol(createProofKey(), await invitation())).status).toBe(200);
    expect((await there.send(await exchangeOf('eve'))).status).toBe(429);
    expect((await there.renew(key, id)).status).toBe(200);
  });
});

describe('limits of the other endpoints of identities', () => {
  it('limits what everybody may read, and leaves failures to others', async () => {
    const { origin, send, statusesOf } = await gatewayWith();
    const read = () => fetch(`${origin}/.well-known/oauth-authorization-server`);
    expect(await statusesOf(burst + 1, read)).toEqual([...Array<number>(burst).fill(200), 429]);
    expect((await fetch(`${origin}/.well-known/jwks.json`)).status).toBe(429);
    expect((await send(forged)).status).toBe(400);
  });

  it('limits logins of the dashboard', async () => {
    const dashboardRoot = await emptyDashboard();
    const ask = async (path: string) => {
      const { origin, statusesOf } = await gatewayWith({}, { dashboardRoot });
      return statusesOf(2 * burst, () => fetch(`${origin}${path}`, { redirect: 'manual' }));
    };
    const isBounded = (statuses: readonly number[], first: number) => {
      expect([statuses[0], statuses.at(-1)]).toEqual([first, 429]);
    };
    isBounded(await ask('/auth/session'), 200);
    isBounded(await ask('/auth/login?issuer=institute'), 400);
    isBounded(await ask('/auth/callback?code=x&state=y'), 401);
  });

  it('limits questions about rights, and not those of a caller that is known', async () => {
    const tokens = await testTokens('https://core.test');
    const { origin, statusesOf } = await gatewayWith({}, { rightsReaders: tokens.verifier });
    const ask = async (token: string) =>
      fetch(`${origin}/identity/rights`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: writeRightsQuestion([]),
      });
    const token = await tokens.admin();
    const first = (await ask(token)).status;
    expect(first).not.toBe(429);
    expect(await statusesOf(2 * burst, () => ask('forged'))).toEqual([
      ...Array<number>(burst).fill(401),
      ...Array<number>(burst).fill(429),
    ]);
    expect((await ask(await tokens.admin())).status).toBe(first);
  });
});
