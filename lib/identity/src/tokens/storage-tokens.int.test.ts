import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { admin, identitySystem, type IdentitySystem } from '../testing/identity-system.js';

const archive = {
  ...{ name: 'archive', audience: 'https://archive.test', experiments: ['heron'] },
  ...{ read: ['/data', '/users/{owner}'], create: ['/jobs/{experiment}/{job}'] },
};

let system: IdentitySystem;
let owner: string;
beforeAll(async () => {
  system = await identitySystem({ storages: [archive] });
  await system.trust();
  const account = { issuer: system.issuer.issuer, subject: 'ann' };
  const person = await system.identity.principals.logIn(account, 'HUMAN', null);
  owner = person._id;
  const { issuer } = account;
  await system.identity.principals.recordLogin(person, { account: 'ann', issuer, grants: [] });
  await member(['USER']);
});

const member = (roles: readonly ('USER' | 'READER')[]) =>
  system.identity.principals.setMembership(
    { principalId: owner, experiment: 'heron', roles, expiresAt: null, reason: null },
    admin,
  );
const attemptOf = (change: object = {}) => ({
  ...{ owner, experiment: 'heron', jobId: 'job_1', attempt: 1, fence: 7, submittedAt: new Date() },
  ...change,
});
const tokens = (change: object = {}) => system.identity.storageTokens.ofAttempt(attemptOf(change), 600);

describe('StorageTokens', () => {
  it('gives the payload of an attempt a token that a storage verifies, for the paths of the job', async () => {
    const [token] = await tokens();
    expect(token).toMatchObject({ name: 'archive', audience: archive.audience });
    const { payload, protectedHeader } = await jwtVerify(
      token?.accessToken ?? '',
      createLocalJWKSet(system.identity.keys.jwks()),
      { issuer: 'https://rhizome.test', audience: archive.audience },
    );
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'JWT' });
    expect(payload).toMatchObject({
      sub: owner,
      'wlcg.ver': '1.0',
      scope: `storage.read:/data storage.read:/users/${owner} storage.create:/jobs/heron/job_1`,
      jti: expect.any(String),
    });
    expect(Number(payload.exp) - Number(payload.iat)).toBe(600);
  });

  it('gives tokens that Rhizome itself refuses', async () => {
    const [token] = await tokens();
    const { trusted } = system.identity;
    const verifier = createVerifier({ issuers: [trusted], audience: ['rhizome', archive.audience] });
    await expect(verifier.verify(token?.accessToken ?? '')).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('gives none for the jobs of other experiments', async () => {
    expect(await tokens({ experiment: 'egret' })).toEqual([]);
  });

  it('gives no token for another path, whatever the names of the owner and the job', async () => {
    const [token] = await tokens({ owner: 'playground:../a b', jobId: '../../x' });
    expect(decodeJwt(token?.accessToken ?? '')['scope']).toBe(
      'storage.read:/data storage.read:/users/playground%3A%2E%2E%2Fa%20b storage.create:/jobs/heron/%2E%2E%2F%2E%2E%2Fx',
    );
  });

  it('gives tokens for 30 days after the submission to an owner whose roles are not recorded', async () => {
    const submitted = (days: number) => ({
      owner: 'playground:ann',
      submittedAt: new Date(Date.now() - days * 86_400_000),
    });
    expect(await tokens(submitted(29))).toHaveLength(1);
    expect(await tokens(submitted(31))).toEqual([]);
  });

  it('gives no token while the owner has no rights in the experiment, or is suspended', async () => {
    const none = async () => (await tokens()).length === 0;
    await member([]);
    await waitFor('the loss', none, { deadlineMs: 120_000 });
    await member(['READER']);
    await waitFor('the membership', async () => !(await none()), { deadlineMs: 120_000 });
    await system.identity.tokens.suspend(owner, true, admin);
    await waitFor('the suspension', none, { deadlineMs: 120_000 });
  });
});
