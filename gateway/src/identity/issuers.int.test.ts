import { beforeAll, describe, expect, it } from '@jest/globals';
import type { IssuerSettingsRecord } from '@rhizome/identity';
import { type GatewayIdentitySystem, postForm, startIdentitySystem } from '../testing/identity-system.js';

const set = `mutation ($input: SetTokenIssuerInput!) {
  setTokenIssuer(input: $input) { tokenIssuer { name revision rules { name groups grants { experiment { name } experimentName roles } } } userErrors { code path } }
}`;
const remove = `mutation ($input: RemoveTokenIssuerInput!) {
  removeTokenIssuer(input: $input) { tokenIssuer { name } userErrors { code } }
}`;
const member = `mutation ($input: SetMembershipInput!) {
  setMembership(input: $input) { membership { principal { subject } principalId experiment { name } experimentName roles expiresAt updatedBy { subject } } userErrors { code path message } }
}`;
const explain = `query ($token: String!) {
  explainToken(token: $token) { isAccepted refusal subject rules { rule hasMatched reason } grants { experimentName roles } }
}`;

describe('issuers in the graph', () => {
  let system: GatewayIdentitySystem;
  const record = (rules: object[] = []) => ({
    name: 'institute',
    issuer: system.issuer.issuer,
    profile: 'OIDC',
    audiences: [system.issuer.audience],
    experiments: ['heron'],
    kinds: ['HUMAN', 'SERVICE'],
    rules,
  });
  beforeAll(async () => {
    system = await startIdentitySystem();
  });

  it('writes, lists and removes a record with its rules', async () => {
    const rule = { name: 'staff', groups: ['/staff'], grants: [{ experiment: 'heron', roles: ['USER'] }] };
    expect(await system.ask(set, { input: record([rule]) })).toMatchObject({
      codes: [],
      data: {
        setTokenIssuer: {
          tokenIssuer: {
            name: 'institute',
            revision: 1,
            rules: [
              {
                name: 'staff',
                groups: ['/staff'],
                grants: [{ experiment: { name: 'heron' }, experimentName: 'heron', roles: ['USER'] }],
              },
            ],
          },
          userErrors: [],
        },
      },
    });
    const listed = await system.ask(
      '{ tokenIssuers { name profile experiments { name } experimentNames maxLifetimeSeconds isEnabled file updatedBy { subject } } }',
    );
    expect(listed.data).toEqual({
      tokenIssuers: [
        {
          name: 'institute',
          profile: 'OIDC',
          experiments: [{ name: 'heron' }],
          experimentNames: ['heron'],
          maxLifetimeSeconds: 21_600,
          isEnabled: true,
          file: null,
          updatedBy: { subject: 'admin@example' },
        },
      ],
    });
    const token = await system.issuer.issue({ sub: 'ann', client_id: undefined, groups: ['/staff'] });
    const { data } = await system.ask(explain, { token });
    expect(data.explainToken).toEqual({
      isAccepted: true,
      refusal: null,
      subject: 'ann',
      rules: [{ rule: 'staff', hasMatched: true, reason: 'group "/staff"' }],
      grants: [{ experimentName: 'heron', roles: ['USER'] }],
    });
    await system.ask(remove, { input: { name: 'institute' } });
    const history = await system.ask(
      '{ tokenIssuerVersions(name: "institute") { totalCount nodes { revision updatedBy { subject } file settings } } }',
    );
    expect(history.data.tokenIssuerVersions).toMatchObject({
      totalCount: 2,
      nodes: [
        { updatedBy: { subject: 'admin@example' }, file: null, settings: null },
        { updatedBy: { subject: 'admin@example' }, file: null },
      ],
    });
  });

  it('names the file of a record that comes from one, and no principal', async () => {
    const { issuers } = system.identity;
    const settings: IssuerSettingsRecord = {
      issuer: 'https://filed.test',
      profile: 'OIDC',
      jwksUri: null,
      audiences: ['rhizome'],
      experiments: ['*'],
      kinds: ['HUMAN'],
      roles: ['USER'],
      maxLifetimeSeconds: 3600,
      isEnabled: true,
      login: null,
      rules: [],
    };
    await issuers.adoptFile([{ name: 'filed', settings }], '/etc/rhizome/issuers.yaml');
    const list = '{ tokenIssuers { name file experiments { name } experimentNames updatedBy { subject } } }';
    expect((await system.ask(list)).data.tokenIssuers).toContainEqual({
      name: 'filed',
      file: '/etc/rhizome/issuers.yaml',
      experiments: [],
      experimentNames: ['*'],
      updatedBy: null,
    });
    const removal = await system.ask(remove, { input: { name: 'filed' } });
    expect(removal.data.removeTokenIssuer.userErrors).toEqual([{ code: 'MANAGED_BY_FILE' }]);
    const unknown = await system.ask(remove, { input: { name: 'nobody' } });
    expect(unknown.data.removeTokenIssuer.userErrors).toEqual([{ code: 'ISSUER_NOT_FOUND' }]);
    await issuers.adoptFile([], '/etc/rhizome/issuers.yaml');
  });

  it('explains a token to its holder without a login, and shows no rule for a forged one', async () => {
    await system.ask(set, { input: record([{ name: 'hidden rule', isForEveryone: true }]) });
    const { origin } = await system.gateway();
    const token = await system.issuer.issue({ sub: 'ann', client_id: undefined });
    const genuine = await postForm(origin, '/oauth/explain', { token });
    expect(genuine).toMatchObject({ status: 200, body: { isAccepted: true, issuerName: 'institute' } });
    const [head, body] = token.split('.');
    const forged = await postForm(origin, '/oauth/explain', { token: `${head}.${body}.${'A'.repeat(86)}` });
    expect(forged).toMatchObject({ status: 200, body: { isAccepted: false, assessment: null } });
    expect(JSON.stringify(forged.body)).not.toContain('hidden rule');
  });

  it('refuses a form that is too large, or has a parameter twice', async () => {
    const { origin } = await system.gateway();
    const large = await postForm(origin, '/oauth/explain', { token: 'x'.repeat(70_000) });
    expect([large.status, large.body.error]).toEqual([413, 'invalid_request']);
    const twice = await fetch(new URL('/oauth/explain', origin), {
      method: 'POST',
      body: new URLSearchParams([
        ['token', 'a'],
        ['token', 'b'],
      ]),
    });
    expect([twice.status, await twice.json()]).toMatchObject([400, { error: 'invalid_request' }]);
  });

  it.each<[string, string, (system: GatewayIdentitySystem) => object]>([
    ['write an issuer', set, () => ({ input: record() })],
    ['remove an issuer', remove, () => ({ input: { name: 'institute' } })],
    [
      'give a role in another experiment',
      member,
      () => ({ input: { principalId: 'usr_1', experiment: 'egret', roles: ['USER'] } }),
    ],
    [
      'give a role everywhere',
      member,
      () => ({ input: { principalId: 'usr_1', experiment: '*', roles: ['USER'] } }),
    ],
  ])('does not let an administrator of one experiment %s', async (_, text, variables) => {
    const token = await system.tokens.human('a@b', { heron: 'ADMIN' });
    expect(await system.ask(text, variables(system), token)).toMatchObject({ codes: ['FORBIDDEN'] });
  });

  it('gives a membership by an administrator of the experiment', async () => {
    await system.ask(set, { input: record() });
    const issued = await system.issuer.issue({ sub: 'guest', client_id: undefined });
    const { principalId } = await system.identity.outside.accept(issued);
    const token = await system.tokens.human('a@b', { heron: 'ADMIN' });
    const granted = { experiment: 'heron', roles: ['USER'], expiresAt: '2099-01-01T00:00:00.000Z' };
    const input = { principalId, ...granted };
    const { data } = await system.ask(member, { input }, token);
    expect(data.setMembership).toEqual({
      membership: {
        principal: { subject: principalId },
        principalId,
        experiment: { name: 'heron' },
        experimentName: 'heron',
        roles: ['USER'],
        expiresAt: granted.expiresAt,
        updatedBy: { subject: 'a@b' },
      },
      userErrors: [],
    });
    const known = await system.ask(
      `query ($id: ID!) { knownPrincipal(id: $id) { kind identities { subject } memberships { experimentName roles } } }`,
      { id: principalId },
      token,
    );
    expect(known.data.knownPrincipal).toEqual({
      kind: 'HUMAN',
      identities: [{ subject: 'guest' }],
      memberships: [{ experimentName: 'heron', roles: ['USER'] }],
    });
    const past = { ...input, expiresAt: '2001-01-01T00:00:00.000Z' };
    const refused = await system.ask(member, { input: past }, token);
    expect(refused.data.setMembership.userErrors).toMatchObject([
      { code: 'INVALID_VALUE', path: ['expiresAt'] },
    ]);
  });

  it('says that a gateway without identities has none', async () => {
    const { startRegistrySystem } = await import('../testing/registry-system.js');
    const without = await startRegistrySystem();
    expect(await without.ask('{ tokenIssuers { name } }')).toMatchObject({ codes: ['SERVICE_UNAVAILABLE'] });
  });
});
