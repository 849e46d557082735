import { beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditEntryDocument } from '@rhizome/audit';
import { createVerifier } from '@rhizome/authz';
import { createProofKey, type ProofKey, waitFor } from '@rhizome/testkit';
import { openTestAudit } from '../testing/audit-system.js';
import { type GatewayIdentitySystem, postForm, startIdentitySystem } from '../testing/identity-system.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// Limits and records of logins, through a whole gateway with a real issuer and a real audit log.

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const enrolment = 'urn:rhizome:params:oauth:grant-type:enrolment';
const worker = 'urn:rhizome:params:oauth:grant-type:worker';
const burst = 4;

let identities: GatewayIdentitySystem;
beforeAll(async () => {
  identities = await startIdentitySystem();
  const { issuer, audience } = identities.issuer;
  const rule = { name: 'all', isForEveryone: true, grants: [{ experiment: 'heron', roles: ['USER'] }] };
  const record = {
    name: 'institute',
    issuer,
    profile: 'OIDC',
    audiences: [audience],
    experiments: ['heron'],
  };
  await identities.ask(
    'mutation ($input: SetTokenIssuerInput!) { setTokenIssuer(input: $input) { userErrors { code } } }',
    { input: { ...record, rules: [rule] } },
  );
});

const verifierOf = ({ identity: { trusted, revocations } }: GatewayIdentitySystem) =>
  createVerifier({ issuers: [trusted], kinds: ['USER', 'WORKER'], revocations });
const outside = (sub: string) => identities.issuer.issue({ sub, client_id: undefined });
const exchangeOf = async (sub: string, more: Record<string, string> = {}) => ({
  grant_type: exchange,
  subject_token: await outside(sub),
  subject_token_type: jwt,
  ...more,
});

async function invitation(): Promise<string> {
  const text = `mutation { inviteWorkers(input: { queue: "north", experiments: ["*"], uses: 50 }) { code } }`;
  return (await identities.ask(text)).data.inviteWorkers.code;
}

describe('rates of the token endpoint', () => {
  let system: TestSystem;
  beforeAll(async () => {
    system = await startTestSystem({
      verifier: verifierOf(identities),
      identity: identities.identity,
      rates: { address: { operations: { perSecond: 0.001, burst } } },
    });
  });

  const send = (form: Record<string, string>, key?: ProofKey) => {
    const proof = key?.proof({ method: 'POST', url: `${system.served.origin}/oauth/token` });
    return postForm(system.served.origin, '/oauth/token', form, proof === undefined ? {} : { dpop: proof });
  };
  const enrol = async (key: ProofKey, code: string) =>
    (await send({ grant_type: enrolment, queue: 'north', host: 'h', code }, key)).body.enrolment_id;

  it('charges failures to the address, and never cuts off those who have a valid key or token', async () => {
    const code = await invitation();
    const keys = Array.from({ length: 3 * burst }, () => createProofKey());
    const ids = await Promise.all(keys.map((key) => enrol(key, code)));
    const forged = { grant_type: exchange, subject_token: 'forged', subject_token_type: jwt };
    const statuses: number[] = [];
    for (let n = 0; n < 2 * burst; n++) statuses.push((await send(forged)).status);
    expect(statuses).toEqual([...Array(burst).fill(400), ...Array(burst).fill(429)]);
    const refused = await send({ grant_type: 'refresh_token', refresh_token: 'rhr_x' });
    expect(refused).toMatchObject({ status: 429, body: { error: 'temporarily_unavailable' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(100);
    const renewals = await Promise.all(
      keys.map((key, n) => send({ grant_type: worker, enrolment_id: ids[n] ?? '' }, key)),
    );
    expect(renewals.map(({ status }) => status)).toEqual(keys.map(() => 200));
    expect((await send(await exchangeOf('ann'))).status).toBe(200);
  });

  it('charges successes to the key or the principal that has them', async () => {
    const key = createProofKey();
    const form = { grant_type: worker, enrolment_id: await enrol(key, await invitation()) };
    const statuses: number[] = [];
    for (let n = 0; n < 2 * burst; n++) statuses.push((await send(form, key)).status);
    // The enrolment is the first.
    expect(statuses).toEqual([...Array(burst - 1).fill(200), ...Array(burst + 1).fill(429)]);
    const own: number[] = [];
    for (let n = 0; n < burst + 1; n++) own.push((await send(await exchangeOf('bob'))).status);
    expect(own).toEqual([...Array(burst).fill(200), 429]);
    expect((await send(await exchangeOf('cid'))).status).toBe(200);
  });
});

describe('the audit log of logins', () => {
  let system: TestSystem;
  let entries: (action: string, count?: number) => Promise<readonly AuditEntryDocument[]>;
  beforeAll(async () => {
    const audit = await openTestAudit();
    system = await startTestSystem({
      verifier: verifierOf(identities),
      identity: identities.identity,
      audit,
    });
    entries = (action, count = 1) =>
      waitFor(
        `${count} entries of ${action}`,
        async () => {
          const { nodes } = await audit.repository.page({}, '*', { first: 1_000, after: null });
          const found = nodes.filter((one) => one.kind === 'LOGIN' && one.action === action && one.outcome);
          return found.length >= count ? found : null;
        },
        { deadlineMs: 60_000 },
      );
  });
  const send = (form: Record<string, string>, path = '/oauth/token') =>
    postForm(system.served.origin, path, form);

  it('has logins, logouts and the reuse of a refresh token, with the principal', async () => {
    const form = await exchangeOf('dora', { scope: 'offline_access', client_id: 'rhizome-cli' });
    const { body: first } = await send(form);
    const renewal = (token: string) => send({ grant_type: 'refresh_token', refresh_token: token });
    const { body: second } = await renewal(first.refresh_token);
    const { body: third } = await renewal(second.refresh_token);
    const [login] = await entries('oauth.exchange');
    expect(login).toMatchObject({
      actor: { kind: 'HUMAN', subject: expect.stringMatching(/^usr_/), issuer: 'https://rhizome.test' },
      client: { name: 'rhizome-cli', address: '127.0.0.1' },
      outcome: { result: 'SUCCEEDED', codes: [] },
    });
    // The first token was replaced twice: somebody else has a copy of it.
    expect((await renewal(first.refresh_token)).status).toBe(400);
    const [reuse] = await entries('oauth.refresh');
    expect(reuse).toMatchObject({
      actor: { kind: 'HUMAN', subject: login?.actor?.subject },
      outcome: { result: 'REFUSED', codes: ['REFRESH_TOKEN_REUSED', 'UNAUTHENTICATED'] },
    });
    expect((await renewal(third.refresh_token)).status).toBe(400);
    const { body: again } = await send(await exchangeOf('dora', { scope: 'offline_access' }));
    await send({ token: again.refresh_token }, '/oauth/revoke');
    const [logout] = await entries('oauth.revoke');
    expect(logout).toMatchObject({
      actor: { subject: login?.actor?.subject },
      outcome: { result: 'SUCCEEDED' },
    });
  });

  it('has failed logins, equal ones of a minute together, and no token', async () => {
    const secret = 'secret-of-a-stranger';
    for (let n = 0; n < 5; n++)
      await send({ grant_type: exchange, subject_token: secret, subject_token_type: jwt });
    const failed = (await entries('oauth.exchange', 2)).filter((one) => one.outcome?.result === 'REFUSED');
    expect(failed).toMatchObject([{ actor: null, outcome: { codes: ['UNAUTHENTICATED'] } }]);
    expect(JSON.stringify(failed)).not.toContain(secret);
  });
});
