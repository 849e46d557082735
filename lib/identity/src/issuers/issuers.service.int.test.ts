import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { leftovers, testPrincipal } from '@rhizome/testkit';
import { openIdentity } from '../identity.js';
import { admin, identitySystem, type IdentitySystem, ruleOf, trusted } from '../testing/identity-system.js';

describe('IssuersService', () => {
  let system: IdentitySystem;
  beforeAll(async () => {
    system = await identitySystem();
  });

  it('keeps every version with its author', async () => {
    const { issuers } = system.identity;
    const other = testPrincipal({ subject: 'second@example' });
    await issuers.set('kept', trusted({ issuer: 'https://kept.test', audience: 'a' }), admin);
    await issuers.set('kept', trusted({ issuer: 'https://kept.test', audience: 'b' }), other);
    await issuers.remove('kept', admin);
    const { nodes } = await issuers.history('kept', 10, null, admin);
    expect(
      nodes.map(({ revision, updatedBy, settings }) => [revision, updatedBy, settings?.audiences]),
    ).toEqual([
      [3, 'admin@example', undefined],
      [2, 'second@example', ['b']],
      [1, 'admin@example', ['a']],
    ]);
  });

  it('refuses changes by an administrator of one experiment', async () => {
    const { issuers } = system.identity;
    const local = testPrincipal({ grants: { heron: 'ADMIN' } });
    const record = trusted({ issuer: 'https://local.test', audience: 'a' });
    await expect(issuers.set('local', record, local)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(issuers.remove('local', local)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each<[string, object, string]>([
    ['plain http to another host', { issuer: 'http://elsewhere.test' }, 'issuer'],
    ['keys over plain http', { jwksUri: 'http://elsewhere.test/keys' }, 'jwksUri'],
    ['the issuer of Rhizome itself', { issuer: 'https://rhizome.test' }, 'issuer'],
    ['no audience', { audiences: [] }, 'audiences'],
    ['the kind of workers', { kinds: ['PILOT'] }, 'kinds.0'],
    ['the role of workers', { roles: ['PILOT'] }, 'roles.0'],
    ['a lifetime of a month', { maxLifetimeSeconds: 30 * 86_400 }, 'maxLifetimeSeconds'],
    [
      'two rules of one name',
      { rules: [ruleOf('x', { when: { groups: ['a'] } }), ruleOf('x', { when: { groups: ['b'] } })] },
      'rules.1',
    ],
    ['a rule without conditions', { rules: [ruleOf('x', { when: {} })] }, 'rules.0.when.isForEveryone'],
    [
      'a rule on the name of a repository',
      {
        profile: 'GITHUB',
        rules: [
          ruleOf('x', {
            when: {
              claims: [
                { claim: 'repository_id', values: ['1'] },
                { claim: 'repository', values: ['a/b'] },
              ],
            },
          }),
        ],
      },
      'rules.0.when.claims.1.claim',
    ],
    [
      'a rule on the subject of a workflow alone',
      { profile: 'GITHUB', rules: [ruleOf('x', { when: { subjects: ['repo:a/b:ref:refs/heads/main'] } })] },
      'rules.0.when.claims',
    ],
  ])('refuses %s', async (_, change, field) => {
    const record = { ...trusted({ issuer: 'https://refused.test', audience: 'a' }), ...change };
    const { issuer, userErrors } = await system.identity.issuers.set('refused', record, admin);
    expect(issuer).toBeNull();
    expect(userErrors.map(({ path }) => path.join('.'))).toContain(field);
  });

  it('refuses a second record of the same issuer', async () => {
    const record = trusted({ issuer: 'https://once.test', audience: 'a' });
    await system.identity.issuers.set('once', record, admin);
    const { userErrors } = await system.identity.issuers.set('again', record, admin);
    expect(userErrors.map(({ code }) => code)).toEqual(['ISSUER_TAKEN']);
  });

  it('follows the file at each start, and protects its records from the API', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-issuers-'));
    leftovers.defer('a folder', () => rmSync(folder, { recursive: true }));
    const file = join(folder, 'issuers.yaml');
    const keyFile = join(folder, 'key');
    const start = async (yaml: string) => {
      writeFileSync(file, yaml);
      const { mongoUri, database } = system;
      const identity = await openIdentity({
        mongoUri,
        database,
        keyFile,
        issuer: 'https://rhizome.test',
        file,
        log: silentLogger(),
      });
      leftovers.defer('identity', () => identity.close());
      return identity.issuers;
    };
    const yaml = 'issuers:\n  - {name: filed, issuer: https://filed.test, profile: OIDC, audiences: [a]}\n';
    const first = await start(yaml);
    expect(await first.byName('filed')).toMatchObject({
      revision: 1,
      source: 'FILE',
      updatedBy: `file:${file}`,
    });
    const again = await start(yaml);
    expect(await again.byName('filed')).toMatchObject({ revision: 1 });
    const changed = await start(yaml.replace('[a]', '[b]'));
    expect(await changed.byName('filed')).toMatchObject({ revision: 2, audiences: ['b'] });
    const { userErrors } = await changed.remove('filed', admin);
    expect(userErrors.map(({ code }) => code)).toEqual(['MANAGED_BY_FILE']);
    const emptied = await start('issuers: []\n');
    expect(await emptied.byName('filed')).toBeNull();
    await expect(start(yaml.replace('https:', 'http:'))).rejects.toThrow(
      /issuers.0.issuer: "http:\/\/filed.test" is not valid/,
    );
  });
});
