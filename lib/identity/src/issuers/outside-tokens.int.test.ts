import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { admin, identitySystem, type IdentitySystem, ruleOf, trusted } from '../testing/identity-system.js';

describe('outside tokens of a real issuer', () => {
  let system: IdentitySystem;
  beforeAll(async () => {
    system = await identitySystem();
  });

  it('gives one principal to an account, whatever issuer uses the same subject', async () => {
    const other = await identitySystem();
    await system.trust();
    const sub = { sub: 'alice', client_id: undefined };
    const first = await system.identity.outside.accept(await system.issuer.issue(sub));
    const again = await system.identity.outside.accept(await system.issuer.issue(sub));
    expect(first.principalId).toMatch(/^usr_/);
    expect(again.principalId).toBe(first.principalId);
    const { issuers } = system.identity;
    await issuers.set('other', trusted(other.issuer), admin);
    const foreign = await system.identity.outside.accept(await other.issuer.issue(sub));
    expect(foreign.principalId).not.toBe(first.principalId);
  });

  it('makes one principal for an account that logs in twice at once', async () => {
    await system.trust();
    const token = await system.issuer.issue({ sub: 'twice', client_id: undefined });
    const found = await Promise.all(Array.from({ length: 8 }, () => system.identity.outside.accept(token)));
    expect(new Set(found.map(({ principalId }) => principalId)).size).toBe(1);
  });

  it('says which rule gave which right, and why another did not apply', async () => {
    await system.trust({
      rules: [
        ruleOf('users', { when: { groups: ['/heron'] } }),
        ruleOf('managers', {
          when: { groups: ['/heron/production'] },
          grants: [{ experiment: 'heron', roles: ['PRODUCTION'] }],
        }),
        ruleOf('too much', {
          when: { groups: ['/heron'] },
          grants: [
            { experiment: 'heron', roles: ['ADMIN'] },
            { experiment: 'crane', roles: ['USER'] },
            { experiment: '*', roles: ['READER'] },
          ],
        }),
      ],
    });
    const token = await system.issuer.issue({ sub: 'bob', client_id: undefined, groups: ['/heron'] });
    const { isAccepted, assessment, grants } = await system.identity.outside.explain(token);
    expect(isAccepted).toBe(true);
    expect(grants).toEqual([{ experiment: 'heron', roles: ['USER'] }]);
    expect(assessment?.rules).toEqual([
      {
        rule: 'users',
        applies: true,
        reason: 'group "/heron"',
        grants: [{ experiment: 'heron', role: 'USER', isGranted: true, reason: null }],
      },
      {
        rule: 'managers',
        applies: false,
        reason: 'group must be "/heron/production"; the token has "/heron"',
        grants: [],
      },
      {
        rule: 'too much',
        applies: true,
        reason: 'group "/heron"',
        grants: [
          {
            experiment: 'heron',
            role: 'ADMIN',
            isGranted: false,
            reason: 'the issuer may not give the role ADMIN',
          },
          {
            experiment: 'crane',
            role: 'USER',
            isGranted: false,
            reason: 'the issuer may not give rights in "crane"',
          },
          {
            experiment: '*',
            role: 'READER',
            isGranted: false,
            reason: 'the issuer may not give rights in all experiments',
          },
        ],
      },
    ]);
  });

  it('keeps claimed rights within the constraints of the issuer', async () => {
    await system.trust({ profile: 'RHIZOME' });
    const grants = [
      { experiment: '*', roles: ['ADMIN'] },
      { experiment: 'egret', roles: ['USER', 'PILOT'] },
    ];
    const token = await system.issuer.issue({ sub: 'x', rhizome: { kind: 'HUMAN', grants } });
    const accepted = await system.identity.outside.accept(token);
    expect(accepted.grants).toEqual([{ experiment: 'egret', roles: ['USER'] }]);
    const pilot = await system.issuer.issue({ sub: 'pilot:q', rhizome: { kind: 'PILOT', grants } });
    await expect(system.identity.outside.accept(pilot)).rejects.toThrow(/rhizome.kind: "PILOT" is not valid/);
  });

  it('adds memberships until they end', async () => {
    await system.trust();
    const token = await system.issuer.issue({ sub: 'carol', client_id: undefined });
    const { principalId, grants } = await system.identity.outside.accept(token);
    expect(grants).toEqual([]);
    const membership = { principalId, experiment: 'heron', expiresAt: null, reason: 'guest' };
    const owner = testPrincipal({ grants: { heron: 'ADMIN' } });
    await system.identity.principals.setMembership({ ...membership, roles: ['USER', 'ADMIN'] }, owner);
    expect((await system.identity.outside.accept(token)).grants).toEqual([
      { experiment: 'heron', roles: ['USER'] },
    ]);
    const stranger = testPrincipal({ grants: { egret: 'ADMIN' } });
    await expect(
      system.identity.principals.setMembership({ ...membership, roles: ['USER'] }, stranger),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await system.identity.principals.setMembership({ ...membership, roles: [] }, owner);
    expect((await system.identity.outside.accept(token)).grants).toEqual([]);
  });

  it('refuses a suspended principal', async () => {
    await system.trust();
    const token = await system.issuer.issue({ sub: 'mallory', client_id: undefined });
    const { principalId } = await system.identity.outside.accept(token);
    await system.identity.principals.suspend(principalId, true, admin);
    await expect(system.identity.outside.accept(token)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['another audience', { aud: 'https://elsewhere.test' }, /AUDIENCE: audience must be/],
    [
      'a token for every service',
      { aud: 'https://wlcg.cern.ch/jwt/v1/any' },
      /AUDIENCE: the token is for every/,
    ],
    ['an expired token', { iat: 1_000_000, exp: 1_003_600 }, /TIME: the token expired at 1970/],
    ['a token of the future', { iat: 4_000_000_000, exp: 4_000_003_600 }, /TIME: iat is in the future/],
    ['a lifetime over the limit', { exp: 4_000_000_000 }, /LIFETIME: .* is too long/],
    ['a token without a subject', { sub: undefined }, /SUBJECT: sub is missing/],
  ])('refuses %s', async (_, claims, message) => {
    await system.trust();
    const token = await system.issuer.issue(claims);
    await expect(system.identity.outside.accept(token)).rejects.toThrow(message);
    expect(await system.identity.outside.explain(token)).toMatchObject({ isAccepted: false, grants: [] });
  });

  it('refuses a signature by another key, and says nothing about the rules', async () => {
    await system.trust({ rules: [ruleOf('secret rule', { when: { groups: ['/heron'] } })] });
    const token = await system.issuer.issue({ groups: ['/heron'] });
    const [header, payload, signature = ''] = token.split('.');
    const forged = [
      header,
      payload,
      signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`,
    ];
    const explanation = await system.identity.outside.explain(forged.join('.'));
    expect(explanation).toMatchObject({ isAccepted: false, assessment: null });
    expect(JSON.stringify(explanation)).not.toContain('secret rule');
  });

  it('refuses every token of a disabled or unknown issuer', async () => {
    const token = await system.issuer.issue({ sub: 'dora', client_id: undefined });
    await system.trust({ isEnabled: false });
    await expect(system.identity.outside.accept(token)).rejects.toThrow(/ISSUER: the issuer is disabled/);
    await system.identity.issuers.remove('test', admin);
    await expect(system.identity.outside.accept(token)).rejects.toThrow(/is not known here/);
  });
});
