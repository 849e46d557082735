import { beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditEntryDocument } from '@rhizome/audit';
import { createVerifier } from '@rhizome/authz';
import { createProofKey, type ProofKey, waitFor } from '@rhizome/testkit';
import { openTestAudit } from '../testing/audit-system.js';
import {
  type GatewayIdentitySystem,
  postForm,
  startIdentitySystem,
  trustIssuer,
} from '../testing/identity-system.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

// Records of logins, through a whole gateway with a real issuer and a real audit log.

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const enrolment = 'urn:rhizome:params:oauth:grant-type:enrolment';

let identities: GatewayIdentitySystem;
beforeAll(async () => {
  identities = await startIdentitySystem();
  await trustIssuer(identities);
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

  it('has enrolments: those that wait, with what was requested, and the worker of those that were made', async () => {
    const enrol = (key: ProofKey, more: Record<string, string> = {}) => {
      const dpop = key.proof({ method: 'POST', url: `${system.served.origin}/oauth/token` });
      const form = { grant_type: enrolment, queue: 'north', host: 'node-7', ...more };
      return postForm(system.served.origin, '/oauth/token', form, { dpop });
    };
    const [waiting, invited] = [createProofKey(), createProofKey()];
    const { body: request } = await enrol(waiting);
    const text = `mutation { inviteWorkers(input: { queue: "north", experiments: ["*"] }) { code } }`;
    const { code } = (await identities.ask(text)).data.inviteWorkers;
    const { body: made } = await enrol(invited, { code });
    const found = await entries('oauth.enrol', 2);
    const [pending] = found.filter((one) => one.outcome?.result === 'PENDING');
    const [enrolled] = found.filter((one) => one.outcome?.result === 'SUCCEEDED');
    expect(found).toHaveLength(2);
    expect(pending).toMatchObject({
      actor: null,
      targets: { count: 1, ids: [request.enrolment_id, 'north', 'node-7', waiting.thumbprint] },
      outcome: { result: 'PENDING', codes: ['ENROLMENT_PENDING'] },
    });
    expect(enrolled).toMatchObject({
      actor: { kind: 'PILOT', subject: `worker:${made.worker_id}`, worker: made.worker_id },
      targets: { ids: [made.enrolment_id, 'north', 'node-7', invited.thumbprint] },
      outcome: { result: 'SUCCEEDED', codes: [] },
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
