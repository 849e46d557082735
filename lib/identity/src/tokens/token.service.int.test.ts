import { beforeAll, describe, expect, it } from '@jest/globals';
import { createVerifier } from '@rhizome/authz';
import { restoreMarks } from '@rhizome/mongo';
import { testMongo } from '@rhizome/testkit';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { admin, identitySystem, type IdentitySystem, ruleOf } from '../testing/identity-system.js';
import type { ExchangeRequest } from './exchange-request.js';

const request = (subjectToken: string, change: Partial<ExchangeRequest> = {}): ExchangeRequest => ({
  subjectToken,
  scope: null,
  agent: null,
  lifetimeSeconds: null,
  ...change,
});

describe('TokenService', () => {
  let system: IdentitySystem;
  const production = { experiment: 'heron', roles: ['PRODUCTION'] } as const;
  beforeAll(async () => {
    system = await identitySystem();
    await system.trust({
      rules: [
        ruleOf('managers', { when: { groups: ['/heron/production'] }, grants: [production] }),
        ruleOf('readers', {
          when: { groups: ['/egret'] },
          grants: [{ experiment: 'egret', roles: ['READER'] }],
        }),
      ],
    });
  });
  const person = (sub: string, groups: readonly string[] = ['/heron/production', '/egret']) =>
    system.issuer.issue({ sub, client_id: undefined, groups });
  const verifier = () => {
    const { trusted, revocations } = system.identity;
    return createVerifier({ issuers: [trusted], revocations });
  };

  it('exchanges a token of a real issuer for one of its own', async () => {
    const { accessToken, expiresInSeconds, scope, refreshToken } = await system.identity.tokens.exchange(
      request(await person('ann')),
    );
    expect(decodeProtectedHeader(accessToken)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' });
    expect({ expiresInSeconds, scope, refreshToken }).toEqual({
      expiresInSeconds: 1800,
      scope: 'egret:READER heron:PRODUCTION',
      refreshToken: null,
    });
    const principal = await verifier().verify(accessToken);
    expect(principal).toMatchObject({ kind: 'HUMAN', tokenKind: 'USER', issuer: 'https://rhizome.test' });
    expect(principal.subject).toMatch(/^usr_/);
    expect(principal.grants).toEqual([{ experiment: 'egret', roles: ['READER'] }, production]);
  });

  it('gives software with an account a token of kind SERVICE', async () => {
    const { accessToken } = await system.identity.tokens.exchange(request(await system.issuer.issue()));
    const principal = await verifier().verify(accessToken);
    expect(principal).toMatchObject({ kind: 'SERVICE', tokenKind: 'SERVICE' });
    expect(principal.subject).toMatch(/^svc_/);
    expect(principal.service).toBeUndefined();
  });

  it('narrows an own token, which ends no later than the first one', async () => {
    const { tokens } = system.identity;
    const first = await tokens.exchange(request(await person('ann'), { lifetimeSeconds: 100 }));
    const second = await tokens.exchange(request(first.accessToken, { scope: 'heron:READER job:read' }));
    expect(second.scope).toBe('heron:READER job:read');
    expect(second.expiresInSeconds).toBeLessThanOrEqual(100);
    const principal = await verifier().verify(second.accessToken);
    expect(principal).toMatchObject({
      grants: [{ experiment: 'heron', roles: ['READER'] }],
      actions: ['job:read'],
    });
    for (const scope of ['heron:USER', 'egret:READER', 'job:submit']) {
      await expect(tokens.exchange(request(second.accessToken, { scope }))).rejects.toMatchObject({
        code: 'FORBIDDEN',
      });
    }
  });

  it.each(['heron:ADMIN', '*:READER', 'crane:READER', 'heron:PILOT'])(
    'refuses the scope %s',
    async (scope) => {
      const token = await person('ann');
      await expect(system.identity.tokens.exchange(request(token, { scope }))).rejects.toMatchObject({
        code: 'FORBIDDEN',
      });
    },
  );

  it('gives an agent the rights of its human at most, for a short time', async () => {
    const { tokens } = system.identity;
    const own = await tokens.exchange(request(await person('ann')));
    const agent = await tokens.exchange(
      request(own.accessToken, { agent: 'notebook', scope: 'egret:READER' }),
    );
    expect(agent.expiresInSeconds).toBe(900);
    const human = await verifier().verify(own.accessToken);
    const principal = await verifier().verify(agent.accessToken);
    expect(principal).toMatchObject({
      kind: 'AGENT',
      actsFor: human.subject,
      grants: [{ experiment: 'egret', roles: ['READER'] }],
    });
    expect(principal.subject).toMatch(/^agt_/);
    const other = await tokens
      .exchange(request(agent.accessToken, { agent: 'deeper' }))
      .catch((error: unknown) => error);
    expect(other).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('revokes one token, or all of a principal with its agents', async () => {
    const { tokens, revocations } = system.identity;
    const first = await tokens.exchange(request(await person('rev')));
    const second = await tokens.exchange(request(await person('rev')));
    const agent = await tokens.exchange(request(second.accessToken, { agent: 'notebook' }));
    await tokens.revoke(first.accessToken);
    await expect(verifier().verify(first.accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    const { subject } = await verifier().verify(second.accessToken);
    await revocations.revokeFor({ kind: 'PRINCIPAL', value: subject, reason: null }, admin);
    for (const { accessToken } of [second, agent])
      await expect(verifier().verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    await tokens.revoke('no token at all');
  });

  it('keeps a revocation for longer than a mandate may act for its grantor', async () => {
    const request = { kind: 'TOKEN', value: 'tok_kept', reason: null } as const;
    const { notBefore, expiresAt } = await system.identity.revocations.revokeFor(request, admin);
    expect(expiresAt.getTime() - notBefore.getTime()).toBeGreaterThan(30 * 86_400_000);
  });

  it('refuses to revoke tokens of others without the permission', async () => {
    const { tokens, revocations } = system.identity;
    const ann = await verifier().verify((await tokens.exchange(request(await person('ann')))).accessToken);
    const bob = await verifier().verify((await tokens.exchange(request(await person('bob')))).accessToken);
    await expect(
      revocations.revokeFor({ kind: 'PRINCIPAL', value: ann.subject, reason: null }, bob),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(
      revocations.revokeFor({ kind: 'ISSUER', value: 'test', reason: null }, bob),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('revokes all tokens that came from an issuer', async () => {
    const { tokens, revocations } = system.identity;
    const { accessToken } = await tokens.exchange(request(await person('ann')));
    await revocations.revokeFor({ kind: 'ISSUER', value: 'test', reason: 'compromised' }, admin);
    await expect(verifier().verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
  });
});

describe('refresh tokens', () => {
  let system: IdentitySystem;
  const rules = [ruleOf('users', { when: { groups: ['/heron'] } })];
  beforeAll(async () => {
    system = await identitySystem();
    await system.trust({ rules });
  });
  const login = async (sub: string, scope = 'offline_access') => {
    const token = await system.issuer.issue({ sub, client_id: undefined, groups: ['/heron'] });
    const { accessToken, refreshToken } = await system.identity.tokens.exchange(request(token, { scope }));
    return { accessToken, refreshToken: refreshToken ?? '' };
  };
  const refresh = async (token: string, scope: string | null = null) => {
    const { accessToken, refreshToken } = await system.identity.tokens.refresh(token, scope);
    return { accessToken, refreshToken: refreshToken ?? '' };
  };
  const isDead = (accessToken: string) => {
    const { trusted, revocations } = system.identity;
    return createVerifier({ issuers: [trusted], revocations })
      .verify(accessToken)
      .then(
        () => false,
        () => true,
      );
  };

  it('stays limited, as each token of a login that its issuer has delegated to software', async () => {
    const claims = { sub: 'dora', client_id: undefined, groups: ['/heron'], act: { sub: 'assistant' } };
    const token = await system.issuer.issue(claims);
    const first = await system.identity.tokens.exchange(request(token, { scope: 'offline_access' }));
    const second = await refresh(first.refreshToken ?? '');
    const { trusted, revocations } = system.identity;
    const verifier = createVerifier({ issuers: [trusted], revocations });
    for (const { accessToken } of [first, second])
      expect(await verifier.verify(accessToken)).toMatchObject({ limited: true });
  });

  it('continues a login with each token once', async () => {
    const first = await login('ann');
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.refreshToken);
    expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3);
    expect(await isDead(third.accessToken)).toBe(false);
    expect(decodeJwt(third.accessToken).sub).toBe(decodeJwt(first.accessToken).sub);
  });

  it('can be used once more if the answer was lost, and end the login at a further use', async () => {
    const first = await login('bob');
    const lost = await refresh(first.refreshToken);
    const second = await refresh(first.refreshToken);
    await expect(refresh(first.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    for (const { refreshToken } of [lost, second])
      await expect(refresh(refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    for (const { accessToken } of [first, lost, second]) expect(await isDead(accessToken)).toBe(true);
  });

  it('ends the login if an earlier token is used', async () => {
    const first = await login('carol');
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.refreshToken);
    await expect(refresh(first.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(refresh(third.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await isDead(third.accessToken)).toBe(true);
  });

  it('ignores a guess by somebody who knows the id of the login only', async () => {
    const { refreshToken } = await login('dora');
    const guess = `${refreshToken.slice(0, -43)}${'A'.repeat(43)}`;
    await expect(refresh(guess)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await system.identity.tokens.revoke(guess);
    expect((await refresh(refreshToken)).refreshToken).not.toBe('');
  });

  it('gives a next token to each of two requests at once', async () => {
    const { refreshToken } = await login('emil');
    const both = await Promise.all([refresh(refreshToken), refresh(refreshToken)]);
    expect(new Set(both.map((one) => one.refreshToken)).size).toBe(2);
  });

  it('follows changed rules, and refuses more than the login asked for', async () => {
    const { refreshToken } = await login('finn', 'offline_access heron:READER');
    await expect(refresh(refreshToken, 'heron:USER')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const narrowed = await refresh(refreshToken);
    expect(decodeJwt(narrowed.accessToken)['rhizome']).toMatchObject({
      grants: [{ experiment: 'heron', roles: ['READER'] }],
    });
    await system.trust({ rules: [] });
    const without = await refresh(narrowed.refreshToken);
    expect(decodeJwt(without.accessToken)['rhizome']).toMatchObject({ grants: [] });
    await system.trust({ rules, isEnabled: false });
    await expect(refresh(without.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await system.trust({ rules });
    expect(await isDead((await refresh(without.refreshToken)).accessToken)).toBe(false);
  });

  it('ends a login by a logout, and by the suspension of the principal', async () => {
    const first = await login('gina');
    await system.identity.tokens.revoke(first.refreshToken);
    await expect(refresh(first.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await isDead(first.accessToken)).toBe(true);
    const second = await login('gina');
    await system.identity.tokens.suspend(String(decodeJwt(second.accessToken).sub), true, admin);
    await expect(refresh(second.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await isDead(second.accessToken)).toBe(true);
  });

  it('ends logins, sessions and invitations when the database is restored from a backup', async () => {
    const { accessToken, refreshToken } = await login('hugo');
    const { client } = await testMongo();
    const db = client.db(system.database);
    const base = { schemaVersion: 1, revision: 1, createdAt: new Date(), updatedAt: new Date() };
    const expiresAt = new Date(Date.now() + 3_600_000);
    await db.collection<{ _id: string }>('invitations').insertOne({
      ...{ _id: 'inv_one', ...base, queue: 'north', experiments: ['*'], codeDigest: 'digest' },
      ...{ uses: 3, used: 1, netblock: null, expiresAt, createdBy: 'usr_one' },
    });
    const mark = { state: 'RESTORED', manifest: 'a'.repeat(64), startedAt: new Date(), done: [] } as const;
    await restoreMarks(db).insertOne({ _id: 'restore', ...mark });
    const after = await system.second();
    await expect(after.tokens.refresh(refreshToken, null)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const verifier = createVerifier({ issuers: [after.trusted], revocations: after.revocations });
    await expect(verifier.verify(accessToken)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
    expect(await db.collection('invitations').findOne()).toMatchObject({ uses: 3, used: 3, revision: 2 });
    expect(await restoreMarks(db).findOne()).toBeNull();
  });
});
