// What belongs to another experiment does not exist for an administrator or operator of one experiment:
// issuers, rules, people, groups, elevations, robots, access to jobs and enrolments of workers. A real core
// behind a real gateway with identities.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createPrincipal, createVerifier, never } from '@rhizome/authz';
import type { Identity } from '@rhizome/identity';
import { type TestTokens, testTokens } from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { type AnyData, type Answer, apiOf, mutationText } from '../e2e/system/api.js';
import { startIdentitySystem } from '../e2e/system/identity-system.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { robotInput, robotKeyInput } from './robot-inputs.js';

let url: string;
let identity: Identity;
let tokens: TestTokens;
let all: string;
let ours: string;
let institute: TestIssuer;
let other: TestIssuer;

function ask(text: string, variables?: object, token = all): Promise<Answer<AnyData>> {
  return apiOf(url, token).post(text, variables);
}

/** The result of a mutation, which may have user errors. */
async function change(field: string, input: object, token = all, select = ''): Promise<AnyData> {
  const text = mutationText(field, `${select} userErrors { code message }`);
  return (await apiOf(url, token).data<AnyData>(text, { input }))[field];
}

async function must(field: string, input: object): Promise<void> {
  await apiOf(url, all).change(field, input);
}

const issuerOf = (name: string, { issuer, audience }: TestIssuer, experiments: readonly string[]) => ({
  ...{ name, issuer, profile: 'OIDC', audiences: [audience], experiments, roles: ['READER', 'USER'] },
});

const rule = (name: string, experiment: string, queues: readonly string[] = []) => ({
  ...{ name, groups: [`/${name}`], grants: [{ experiment, roles: ['USER'] }], queues },
});

/** Requests the enrolment of a key. @returns its identifier */
const pending = async (queue: string, key = queue): Promise<string> => {
  const proven = { thumbprint: `${key}-key`.padEnd(43, '-'), use: () => Promise.resolve() };
  const request = { key: proven, queue, host: `host-of-${queue}`, address: '192.0.2.7' };
  return (await identity.enrolments.enrol({ ...request, code: null, subjectToken: null }))._id;
};

/** Logs an account in. @returns the identifier of its principal */
const login = async (issuer: TestIssuer, sub: string, groups: readonly string[] = []): Promise<string> =>
  (await identity.outside.accept(await issuer.issue({ sub, client_id: undefined, groups }))).principalId;

/** Makes a group of an experiment. */
const crew = async (experiment: string, members: readonly string[]): Promise<void> => {
  const input = { experiment, name: `crew-${experiment}`, roles: ['READER'] };
  const { group } = await change('setGroup', input, all, 'group { id }');
  for (const principalId of members) await must('setGroupMember', { groupId: group.id, principalId });
};

/** Registers a robot of an experiment. @returns its identifier, and that of its key */
const robot = async (experiment: string): Promise<readonly [string, string]> => {
  const input = { ...robotInput(experiment, ['USER']), name: `robot-${experiment}` };
  const made = await change('registerRobot', input, all, 'robot { id keys { id } }');
  return [made.robot.id, made.robot.keys[0].id];
};

/** Grants access to jobs of an experiment. @returns its identifier */
const access = async (experiment: string): Promise<string> => {
  const input = { experiment, grantee: { subject: 'friend@example' }, level: 'READ' };
  return (await change('grantJobAccess', input, all, 'access { id }')).access.id;
};

/** Holds a role ready for a person of an experiment, and starts an elevation with it. */
const elevate = async (principalId: string, experiment: string): Promise<void> => {
  const ready = { roles: ['USER'], elevatableRoles: ['READER'] };
  await must('setMembership', { principalId, experiment, ...ready });
  const { grants = [] } = await identity.people.rightsOf(principalId, new Date());
  const by = createPrincipal({ kind: 'HUMAN', subject: principalId, grants, expiresAt: never });
  const request = {
    experiment,
    roles: ['READER'],
    reason: `a failure in ${experiment}`,
    minutes: 60,
  } as const;
  const { userErrors } = await identity.elevations.start(request, by);
  expect(userErrors).toEqual([]);
};

const page = 'totalCount pageInfo { hasNextPage endCursor }';
const person =
  'id displayName identities { issuer subject } memberships { experimentName roles } groups { group { name experimentName } }';
const lists = `query ($ann: ID!) {
  tokenIssuers { name issuer experimentNames rules { name groups queueNames grants { experimentName roles } } }
  institute: tokenIssuerVersions(name: "institute") { ${page} nodes { settings } }
  local: tokenIssuerVersions(name: "local") { ${page} nodes { revision settings } }
  other: tokenIssuerVersions(name: "other") { ${page} nodes { settings } }
  nothing: tokenIssuerVersions(name: "nothing") { ${page} nodes { settings } }
  knownPrincipals { ${page} nodes { ${person} } }
  firstPrincipal: knownPrincipals(first: 1) { ${page} nodes { id } }
  knownPrincipal(id: $ann) { ${person} }
  groups { ${page} nodes { name experimentName members { ${page} nodes { principalId } } } }
  firstGroup: groups(first: 1) { ${page} nodes { id } }
  robots { ${page} nodes { id name experimentName keys { id thumbprint } } }
  firstRobot: robots(first: 1) { ${page} nodes { id } }
  jobAccess { ${page} nodes { id grantee { subject } } }
  firstAccess: jobAccess(first: 1) { ${page} nodes { id } }
  elevations { ${page} nodes { id experimentName reason principal { subject } } }
  firstElevation: elevations(first: 1) { ${page} nodes { id } }
  workerEnrolments { ${page} nodes { id queueName host address thumbprint state } }
  first: workerEnrolments(first: 1) { ${page} nodes { id } }
  pending: workerEnrolments(state: PENDING) { ${page} nodes { id } }
  ofTheirs: workerEnrolments(queue: "south") { ${page} nodes { id } }
}`;

let ann: string;
let bob: string;
/** A robot of the other experiment with its key, and access to its jobs. */
let foreign: { readonly robotId: string; readonly keyId: string; readonly accessId: string };
/** Pending requests by queue; `open` admits every experiment, and `nowhere` does not exist. */
const requests = new Map<string, string>();
let before: unknown;

beforeAll(async () => {
  tokens = await testTokens();
  all = await tokens.admin();
  ours = await tokens.human('ours@example', { heron: 'ADMIN' });
  const verifier = createVerifier({ issuers: [tokens.trusted] });
  const folder = await temporaryFolder('narrowing');
  ({ url, identity } = await startIdentitySystem({ folder, gateway: { verifier } }));
  [institute, other] = [await testIssuer(), await testIssuer()];
  for (const name of ['heron', 'egret']) await must('registerExperiment', { name, title: name });
  const queues = { north: ['heron'], south: ['egret'], shared: ['heron', 'egret'], open: [] };
  for (const [name, experiments] of Object.entries(queues))
    await must('createQueue', { name, site: 'Pole', experiments });
  const rules = [rule('ours', 'heron'), rule('theirs', 'egret', ['south'])];
  await must('setTokenIssuer', {
    ...issuerOf('institute', institute, ['heron', 'egret']),
    rules: rules.slice(0, 1),
  });
  const local = { issuer: 'https://local.test', audience: 'a' } as TestIssuer;
  await must('setTokenIssuer', {
    ...issuerOf('local', local, ['heron']),
    rules: [rule('ours', 'heron', ['north'])],
  });
  ann = await login(institute, 'ann');
  await elevate(ann, 'heron');
  await crew('heron', [ann]);
  await login(institute, 'amy', ['/ours']);
  await robot('heron');
  await access('heron');
  requests.set('north', await pending('north'));
  before = (await ask(lists, { ann }, ours)).data;

  await must('setTokenIssuer', {
    ...issuerOf('other', other, ['egret']),
    rules: [rule('others', 'egret', ['south'])],
  });
  await must('setTokenIssuer', { ...issuerOf('institute', institute, ['heron', 'egret']), rules });
  bob = await login(other, 'bob', ['/others']);
  for (const one of [bob, ann]) await elevate(one, 'egret');
  await crew('egret', [bob, ann]);
  await login(institute, 'ben', ['/theirs']);
  const [robotId, keyId] = await robot('egret');
  foreign = { robotId, keyId, accessId: await access('egret') };
  for (const queue of ['south', 'shared', 'open', 'nowhere']) requests.set(queue, await pending(queue));
});

describe('an administrator of one experiment', () => {
  it('sees its own issuers, people and enrolments', () => {
    expect(before).toMatchObject({
      tokenIssuers: [
        { name: 'institute', experimentNames: ['heron'], rules: [{ name: 'ours', queueNames: [] }] },
        { name: 'local', experimentNames: ['heron'], rules: [{ name: 'ours', queueNames: ['north'] }] },
      ],
      local: { totalCount: 1 },
      knownPrincipals: { totalCount: 3 },
      robots: { totalCount: 1, nodes: [{ name: 'robot-heron', experimentName: 'heron' }] },
      jobAccess: { totalCount: 1 },
      knownPrincipal: {
        ...{ id: ann, identities: [{ subject: 'ann' }] },
        groups: [{ group: { name: 'crew-heron' } }],
      },
      groups: { totalCount: 1, nodes: [{ name: 'crew-heron', members: { totalCount: 1 } }] },
      elevations: { totalCount: 1, nodes: [{ experimentName: 'heron', principal: { subject: ann } }] },
      workerEnrolments: { totalCount: 1, nodes: [{ queueName: 'north' }] },
    });
  });

  it('gets the same lists, counts and cursors whatever another experiment has', async () => {
    const { data, errors } = await ask(lists, { ann }, ours);
    expect(errors).toBeUndefined();
    expect(data).toEqual(before);
    const everything = (await ask(lists, { ann })).data;
    expect(everything).toMatchObject({
      institute: { totalCount: 2 },
      other: { totalCount: 1 },
      knownPrincipals: { totalCount: 6 },
      robots: { totalCount: 2 },
      jobAccess: { totalCount: 2 },
      groups: { totalCount: 2 },
      elevations: { totalCount: 3 },
      workerEnrolments: { totalCount: 5 },
    });
    expect(everything.tokenIssuers).toHaveLength(3);
  });

  it('finds nobody of another experiment, as it finds nobody who does not exist', async () => {
    const text = 'query ($id: ID!) { knownPrincipal(id: $id) { id } }';
    for (const id of [bob, 'usr_00000000000000000000000000'])
      expect((await ask(text, { id }, ours)).data).toEqual({ knownPrincipal: null });
    expect((await ask(text, { id: bob })).data).toEqual({ knownPrincipal: { id: bob } });
  });

  it('sees the agents of its own people only', async () => {
    const agents = [];
    for (const [name, human] of [
      ['a-bot', ann],
      ['b-bot', bob],
    ] as const)
      agents.push(await identity.principals.logIn({ issuer: 'own', subject: name }, 'AGENT', name, human));
    const text = '{ knownPrincipals { nodes { id actsFor { subject } } } }';
    const { data } = await ask(text, {}, ours);
    const [own, foreign] = agents.map(({ _id }) => _id);
    expect(data.knownPrincipals.nodes).toContainEqual({ id: own, actsFor: { subject: ann } });
    expect(JSON.stringify(data)).not.toContain(foreign);
  });
});

describe.each(['OPERATOR', 'ADMIN'] as const)('the %s of one experiment', (role) => {
  const decision = 'enrolment { id }';
  /** An answer without the identifier that the caller has sent. */
  const withoutId = (answer: unknown, id: string): unknown =>
    JSON.parse(JSON.stringify(answer).replaceAll(id, 'ID'));
  let token: string;
  beforeAll(async () => {
    token = await tokens.human('ours@example', { heron: role });
  });

  it.each(['south', 'shared', 'open', 'nowhere'])(
    'leaves a request for queue %s as it is, which does not exist for it',
    async (queue) => {
      const id = requests.get(queue) ?? '';
      const attempts: [string, object][] = [
        ['decideEnrolment', { isApproved: true, experiments: ['heron'] }],
        ['decideEnrolment', { isApproved: false, experiments: ['heron'] }],
        ['endEnrolment', {}],
      ];
      for (const [field, rest] of attempts) {
        const answer = await change(field, { id, ...rest }, token, decision);
        expect(answer).toMatchObject({ enrolment: null, userErrors: [{ code: 'ENROLMENT_NOT_FOUND' }] });
        const unknown = await change(field, { id: 'enr_0', ...rest }, token, decision);
        expect(withoutId(answer, id)).toEqual(withoutId(unknown, 'enr_0'));
      }
      const { data } = await ask(`{ workerEnrolments(queue: "${queue}") { nodes { id state } } }`);
      expect(data.workerEnrolments.nodes).toContainEqual({ id, state: 'PENDING' });
    },
  );

  it('does not end an approved enrolment of a queue of another experiment', async () => {
    const id = await pending('shared', `shared ${role}`);
    await must('decideEnrolment', { id, isApproved: true, experiments: ['heron'] });
    const { userErrors } = await change('endEnrolment', { id }, token);
    expect(userErrors).toMatchObject([{ code: 'ENROLMENT_NOT_FOUND' }]);
    await must('endEnrolment', { id });
  });

  it('changes no robot and no access of another experiment, as there were none', async () => {
    const calls: [string, string, (id: string) => object][] = [
      ['addRobotKey', foreign.robotId, robotKeyInput],
      ['endRobotKey', foreign.keyId, (id) => ({ id })],
      ['revokeJobAccess', foreign.accessId, (id) => ({ id })],
    ];
    for (const [field, id, input] of calls) {
      const missing = id.replace(/.{6}$/, '000000');
      const text = mutationText(field, 'userErrors { code message }');
      const send = async (named: string) => {
        const { data, errors = [] } = await ask(text, { input: input(named) }, token);
        return { data, errors: errors.map(({ message, extensions }) => `${extensions.code} ${message}`) };
      };
      const answer = await send(id);
      expect(JSON.stringify(answer)).toMatch(/NOT_FOUND|FORBIDDEN/);
      expect(withoutId(answer, id)).toEqual(withoutId(await send(missing), missing));
    }
    const { data } = await ask('{ robots { nodes { id keys { id endedAt } } } jobAccess { nodes { id } } }');
    const keys = [{ id: foreign.keyId, endedAt: null }];
    expect(data.robots.nodes).toContainEqual({ id: foreign.robotId, keys });
    expect(data.jobAccess.nodes).toContainEqual({ id: foreign.accessId });
  });

  it('makes no invitation for a queue that is not its own', async () => {
    const rest = { experiments: ['heron'] };
    const unknown = await change('inviteWorkers', { queue: 'nowhere', ...rest }, token, 'code');
    expect(unknown).toMatchObject({ code: null, userErrors: [{ code: 'QUEUE_NOT_FOUND' }] });
    for (const queue of ['south', 'shared', 'open']) {
      const answer = await change('inviteWorkers', { queue, ...rest }, token, 'code');
      expect(withoutId(answer, queue)).toEqual(withoutId(unknown, 'nowhere'));
    }
    const own = await change('inviteWorkers', { queue: 'north', ...rest }, token, 'code');
    expect(own).toMatchObject({ code: expect.any(String), userErrors: [] });
  });
});

it('lets those with the right in all experiments of a queue decide', async () => {
  const both = await tokens.human('both@example', { heron: 'OPERATOR', egret: 'OPERATOR' });
  const { data } = await ask('{ workerEnrolments(state: PENDING) { nodes { queueName } } }', {}, both);
  const names = data.workerEnrolments.nodes.map(({ queueName }: { queueName: string }) => queueName);
  expect(names).toEqual(expect.arrayContaining(['north']));
  expect(names).not.toContain('open');
  const ends = async (queue: string, token: string): Promise<readonly string[]> => {
    const input = { id: requests.get(queue), isApproved: false, experiments: ['heron'] };
    const { enrolment } = await change('decideEnrolment', input, token, 'enrolment { state }');
    return enrolment?.state;
  };
  const operator = await tokens.human('ours@example', { heron: 'OPERATOR' });
  expect(await ends('north', operator)).toBe('REFUSED');
  expect(await ends('open', all)).toBe('REFUSED');
});
