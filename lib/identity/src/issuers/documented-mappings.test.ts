// Each mapping of the how-to page, read as it is printed there, with a token as its issuer writes it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { assess } from './assess.js';
import type { Claims } from './claims.js';
import { type NamedIssuer, readIssuerFile } from './issuer-file.js';

const page = readFileSync(
  fileURLToPath(new URL('../../../../docs/how-to/trust-an-issuer.md', import.meta.url)),
  'utf8',
);
const folder = mkdtempSync(join(tmpdir(), 'rhizome-mappings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const now = new Date('2030-01-01T00:00:00Z');
const times = { iat: 1_893_455_000, exp: 1_893_458_000, jti: 'x' };

/** The issuers of all examples, by name. */
const documented = new Map<string, NamedIssuer>(
  [...page.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, yaml = ''], at) => {
    const file = join(folder, `${at}.yaml`);
    writeFileSync(file, yaml);
    return readIssuerFile(file).map((issuer) => [issuer.name, issuer] as const);
  }),
);

const wlcg = { sub: 'a-b-c', aud: 'https://rhizome.example', 'wlcg.ver': '1.0', ...times };
const pod = {
  sub: 'system:serviceaccount:pilots:rhizome-pilot',
  aud: ['https://rhizome.example'],
  'kubernetes.io': {
    namespace: 'pilots',
    serviceaccount: { name: 'rhizome-pilot', uid: '2c8a' },
    pod: { name: 'rhizome-pilot-1', uid: '9f' },
  },
  ...times,
};
const collaborator = { sub: 'http://cilogon.example/1', aud: 'cilogon:/client_id/1234', ...times };
const workflow = {
  sub: 'repo:heron/analysis:ref:refs/heads/main',
  aud: 'https://rhizome.example',
  repository: 'heron/analysis',
  repository_id: '123456789',
  repository_owner_id: '1234',
  ref: 'refs/heads/main',
  ...times,
};
const pipeline = {
  sub: 'project_path:heron/analysis:ref_type:branch:ref:main',
  aud: 'https://rhizome.example',
  project_id: '42',
  namespace_id: '7',
  project_path: 'heron/analysis',
  ref_protected: 'true',
  ...times,
};

const user = [{ experiment: 'heron', roles: ['USER'] }];

describe('the documented mappings', () => {
  it('has one for each common issuer', () => {
    expect([...documented.keys()].sort()).toEqual(
      [
        'cilogon',
        'cluster',
        'egi-checkin',
        'github',
        'gitlab',
        'heron-iam',
        'heron-scitokens',
        'institute',
      ].sort(),
    );
  });

  it.each<[string, string, Claims, unknown]>([
    [
      'heron-iam',
      'a member',
      { ...wlcg, 'wlcg.groups': ['/heron'] },
      [{ experiment: 'heron', roles: ['READER'] }],
    ],
    [
      'heron-iam',
      'a token with a scope',
      { ...wlcg, scope: 'compute.create', 'wlcg.groups': ['/heron'] },
      user,
    ],
    [
      'heron-iam',
      'a production manager',
      { ...wlcg, 'wlcg.groups': ['/heron', '/heron/production'] },
      [{ experiment: 'heron', roles: ['PRODUCTION', 'READER'] }],
    ],
    ['heron-iam', 'a member of a subgroup alone', { ...wlcg, 'wlcg.groups': ['/heron/uk'] }, []],
    [
      'heron-scitokens',
      'a submitter',
      {
        sub: 's',
        aud: 'https://rhizome.example',
        ver: 'scitoken:2.0',
        scope: 'read:/ queue execute',
        ...times,
      },
      user,
    ],
    [
      'cilogon',
      'an active member of the group',
      { ...collaborator, isMemberOf: ['CO:members:active', 'CO:COU:heron:members:active'] },
      user,
    ],
    ['cilogon', 'a member of another group', { ...collaborator, isMemberOf: ['CO:members:active'] }, []],
    [
      'egi-checkin',
      'a member of the VO',
      {
        sub: 'x@egi.eu',
        aud: 'rhizome',
        voperson_id: 'x@egi.eu',
        eduperson_entitlement: ['urn:mace:egi.eu:group:vo.heron.example:role=member#aai.egi.eu'],
        ...times,
      },
      user,
    ],
    [
      'institute',
      'an operator of the staff',
      {
        sub: '7d',
        aud: ['account', 'rhizome'],
        azp: 'rhizome-cli',
        groups: ['/staff'],
        realm_access: { roles: ['rhizome-operator', 'offline_access'] },
        ...times,
      },
      [
        { experiment: 'egret', roles: ['READER'] },
        { experiment: 'heron', roles: ['OPERATOR', 'READER'] },
      ],
    ],
    ['github', 'a workflow of the main branch', workflow, user],
    ['github', 'a workflow of another branch', { ...workflow, ref: 'refs/heads/x' }, []],
    ['github', 'a repository that took the name', { ...workflow, repository_id: '99' }, []],
    ['gitlab', 'a pipeline of a protected branch', pipeline, user],
    ['gitlab', 'a pipeline of a fork', { ...pipeline, project_id: '43', namespace_id: '8' }, []],
  ])('gives exactly the documented rights: %s, %s', (name, _, claims, grants) => {
    const found = assess(claims, settings(name), now);
    expect(found.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(found.grants).toEqual(grants);
  });

  it('lets the pods of a service account enrol workers, and nobody else', () => {
    expect(assess(pod, settings('cluster'), now)).toMatchObject({ kind: 'SERVICE', queues: ['heron-k8s'] });
    const other = { ...pod, 'kubernetes.io': { ...pod['kubernetes.io'], namespace: 'users' } };
    expect(assess(other, settings('cluster'), now).queues).toEqual([]);
  });

  it.each<[string, Claims, RegExp]>([
    ['heron-iam', { ...wlcg, 'wlcg.ver': '2.0' }, /wlcg.ver: "2.0" is not supported/],
    ['heron-iam', { ...wlcg, jti: undefined }, /jti: is missing/],
    ['heron-scitokens', { ...wlcg, ver: undefined }, /ver: null is not supported/],
    ['github', { ...workflow, repository_owner_id: undefined }, /repository_owner_id: is missing/],
    ['cluster', { ...pod, 'kubernetes.io': {} }, /kubernetes.io.namespace: is missing/],
  ])('refuses a token without the form of its profile: %s', (name, claims, detail) => {
    const { isAccepted, checks, grants } = assess(claims, settings(name), now);
    expect(isAccepted).toBe(false);
    expect(grants).toEqual([]);
    expect(checks.find((check) => check.name === 'PROFILE')?.detail).toMatch(detail);
  });
});

function settings(name: string): NamedIssuer['settings'] {
  const found = documented.get(name);
  if (!found) throw new Error(`The page has no issuer ${name}`);
  return found.settings;
}
