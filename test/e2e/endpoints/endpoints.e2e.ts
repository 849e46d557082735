// No endpoint accepts a caller without a token of this system, and a caller can do only what the token
// permits.
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createTokenIssuer, type Grant, type PrincipalKind } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { WebSocket } from 'ws';
import { apiOf } from '../system/api.js';
import { experiment, jobInput, jobOf, submit } from '../system/jobs.js';
import { watchJobs } from '../system/job-watch.js';
import { acquireMutation, speakAsWorker, spokenCapacity } from '../system/pilots.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

let system: ServiceSystem;
/** Tokens that open nothing, by what is wrong with them. */
const bad = new Map<string, string | undefined>();
const kinds = [
  'none',
  'no token at all',
  'expired',
  'of another issuer',
  "signed by another's key",
  'for another audience',
  'unsigned',
];

const everywhere = (role: Grant['roles'][number]): Grant[] => [{ experiment: '*', roles: [role] }];

/** A good token for anybody. */
const mint = (subject: string, grants: Grant[], kind: PrincipalKind = 'HUMAN') =>
  system.identities.issuer.mint({ subject, kind, grants, ttlSeconds: 600 });

beforeAll(async () => {
  system = await startServices({
    experiments: [experiment, 'atlas'],
    // What the token of a queue permits is tested, too.
    gatewayEnv: { RHIZOME_GATEWAY_ALLOW_QUEUE_TOKENS: 'true' },
  });
  const admin = { subject: 'intruder', kind: 'HUMAN', grants: everywhere('ADMIN'), ttlSeconds: 600 } as const;
  const { issuer } = system.identities;
  const other = (name: string, options: { issuer: string; audience?: string }) =>
    createTokenIssuer({ keyFile: join(system.data, `${name}.json`), ...options });
  bad.set('none', undefined);
  bad.set('no token at all', 'junk');
  bad.set(
    'expired',
    await issuer.mint({ ...admin, issuedAt: new Date(Date.now() - 120_000), ttlSeconds: 60 }),
  );
  bad.set('of another issuer', await (await other('other', { issuer: 'somebody-else' })).mint(admin));
  bad.set("signed by another's key", await (await other('forged', { issuer: issuer.issuer })).mint(admin));
  const elsewhere = await createTokenIssuer({
    keyFile: join(system.data, 'token-key.json'),
    issuer: issuer.issuer,
    audience: 'elsewhere',
  });
  bad.set('for another audience', await elsewhere.mint(admin));
  const [, claims = ''] = (await issuer.mint(admin)).split('.');
  bad.set('unsigned', `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.`);
});

/** Addresses that take GraphQL: the gateway's, and each service's own. */
const addresses = ['gateway', 'core', experiment, 'atlas'] as const;
const urlOf = (name: (typeof addresses)[number]) =>
  name === 'gateway' ? system.url : system.service(name).url;
const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/**
 * Opens a socket, says hello with the token, and asks for something; answers how it was closed, or what came.
 */
async function knock(
  url: string,
  token: string | undefined,
): Promise<{ readonly code?: number; readonly type?: string }> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  const outcome = new Promise<{ code?: number; type?: string }>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code) => resolve({ code }));
    socket.on('message', (data) => {
      const { type } = JSON.parse(String(data)) as { type: string };
      if (type !== 'ping') resolve({ type });
    });
    socket.on('open', () => {
      const payload = token === undefined ? {} : { authorization: `Bearer ${token}` };
      socket.send(JSON.stringify({ type: 'connection_init', payload }));
    });
  });
  try {
    return await waitFor(`an answer of ${url}`, outcome, { deadlineMs: 10_000 });
  } finally {
    socket.terminate();
  }
}

describe.each(addresses)('%s', (name) => {
  it.each(kinds)('answers no POST with a token that is: %s', async (kind) => {
    const token = bad.get(kind);
    const { status, data, errors } = await apiOf(urlOf(name), token).post('{ __typename }');
    expect([status, data ?? null]).toEqual([401, null]);
    expect(['UNAUTHENTICATED', 'TOKEN_EXPIRED']).toContain(errors?.[0]?.extensions.code);
    if (token !== undefined && token.length > 10) expect(JSON.stringify(errors)).not.toContain(token);
  });

  it.each(kinds)('closes a WebSocket with a token that is: %s', async (kind) => {
    expect([4401, 4403]).toContain((await knock(urlOf(name), bad.get(kind))).code);
  });

  it("accepts the caller's token at the gateway, and call tokens elsewhere", async () => {
    const principal = await system.identities.verifier.verify(system.token);
    const called = await system.identities.calls.tokenFor(principal, name);
    const [good, refused] = name === 'gateway' ? [system.token, called] : [called, system.token];
    expect(await apiOf(urlOf(name), good).post('{ __typename }')).toMatchObject({ status: 200 });
    expect(await knock(urlOf(name), good)).toEqual({ type: 'connection_ack' });
    expect(await apiOf(urlOf(name), refused).post('{ __typename }')).toMatchObject({ status: 401 });
    expect([4401, 4403]).toContain((await knock(urlOf(name), refused)).code);
  });
});

describe('other endpoints of the gateway', () => {
  it.each(kinds)('refuses a token that is: %s', async (kind) => {
    const headers = bearer(bad.get(kind));
    const query = encodeURIComponent('{ viewer { subject } }');
    expect((await fetch(`${system.url}?query=${query}`, { headers })).status).toBe(401);
    const subscription = encodeURIComponent('subscription { jobStateChanged { cursor } }');
    const events = await fetch(`${system.url}?query=${subscription}`, {
      headers: { ...headers, accept: 'text/event-stream' },
    });
    const text = events.status === 401 ? '' : await events.text();
    expect([events.status, text]).toEqual([401, '']);
    expect((await fetch(new URL('/metrics', system.url), { headers })).status).toBe(401);
  });

  it('reports health and readiness to anybody, and nothing more', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const answer = await fetch(new URL(path, system.url));
      expect(answer.status).toBe(200);
      expect(await answer.text()).not.toMatch(/mongodb|127\.0\.0\.1/);
    }
  });
});

describe('permissions of a token', () => {
  const submission = (of: string) => ({
    input: { experiment: of, idempotencyKey: randomUUID(), jobs: [jobInput({})] },
  });
  const submitJobs =
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { code } } }';
  const forbidden = { errors: [{ extensions: { code: 'FORBIDDEN' } }] };

  it.each<[string, () => Promise<string>]>([
    ['a reader', () => system.identities.reader()],
    ['a user of another experiment', () => mint('user', [{ experiment: 'atlas', roles: ['USER'] }])],
    ['a pilot', () => system.identities.pilot('playground')],
    ["another experiment's service", () => system.identities.service('atlas')],
  ])('refuses a submission by %s', async (_, token) => {
    const answer = await system
      .api(await token())
      .post<{ submitJobs: null }>(submitJobs, submission(experiment));
    expect(answer).toMatchObject(forbidden);
    expect(answer.errors?.[0]?.message).toContain('job:submit');
  });

  it('jobs of an experiment without a role are not seen: not by id, not in a list, not counted, not live', async () => {
    const stranger = await mint('stranger', [{ experiment: 'atlas', roles: ['USER'] }]);
    const watch = await watchJobs(system.client(stranger));
    const all = await watchJobs(system.client());
    const [id = ''] = await submit(system.api(), [{}]);
    await all.untilState(id, 'ACTIVATED', 10_000);
    const api = system.api(stranger);
    interface Seen {
      readonly job: null;
      readonly jobs: { readonly nodes: readonly unknown[] };
      readonly jobCounts: readonly { readonly experiment: string }[];
    }
    const seen = await api.data<Seen>(
      'query ($id: ID!) { job(id: $id) { id } jobs { nodes { id } } jobCounts { experiment: experimentName } }',
      { id },
    );
    expect(seen.job).toBeNull();
    expect(seen.jobs.nodes).toEqual([]);
    expect(seen.jobCounts.filter((count) => count.experiment === experiment)).toEqual([]);
    // Something that is seen comes after it, so that it would have been seen as well.
    const { submitJobs: own } = await api.data<{ submitJobs: { jobs: { id: string }[] } }>(
      submitJobs,
      submission('atlas'),
    );
    await watch.untilState(own.jobs[0]?.id ?? '', 'ACTIVATED', 10_000);
    expect(watch.of(id)).toEqual([]);
  });

  it("refuses a user's changes to jobs of other users", async () => {
    const [id = ''] = await submit(system.api(), [{ requirements: { cores: 4000 } }]);
    const token = await mint('user', [{ experiment, roles: ['USER'] }]);
    const { cancelJobs } = await system
      .api(token)
      .data<{ cancelJobs: { userErrors: object[] } }>(
        'mutation ($ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { code } } }',
        { ids: [id] },
      );
    expect(cancelJobs.userErrors).toEqual([{ code: 'FORBIDDEN' }]);
    expect(await jobOf(system.api(), id)).toMatchObject({ state: 'ACTIVATED' });
  });

  it('refuses pilot actions to people, and other queues to pilots', async () => {
    const worker = await speakAsWorker(system, { name: 'rightful' });
    const variables = { input: { workerId: worker.id, count: 1, free: spokenCapacity } };
    // A worker of another queue does not exist for a pilot.
    const foreign = await system
      .api(await system.identities.pilot('another'))
      .post(acquireMutation, variables);
    expect(foreign).toMatchObject({
      data: { acquireJobs: { assignments: [], userErrors: [{ code: 'WORKER_NOT_FOUND' }] } },
    });
    const reader = await system.identities.reader();
    expect(await system.api(reader).post(acquireMutation, variables)).toMatchObject(forbidden);
    const user = await mint('user', everywhere('USER'));
    expect(await system.api(user).post(acquireMutation, variables)).toMatchObject(forbidden);
  });

  it('operators alone open and close queues', async () => {
    const close =
      'mutation { setQueueState(input: { name: "playground", state: OFFLINE, reason: "mine" }) { userErrors { code } } }';
    for (const token of [await system.identities.reader(), await mint('user', everywhere('USER'))])
      expect(await system.api(token).post(close)).toMatchObject(forbidden);
    const { queue } = await system
      .api()
      .data<{ queue: { state: string } }>('{ queue(name: "playground") { state } }');
    expect(queue.state).toBe('ONLINE');
  });

  it("shows a service's schema to operators only, and checks direct requests to services as well", async () => {
    const reader = await system.identities.verifier.verify(await system.identities.reader());
    const called = await system.identities.calls.tokenFor(reader, 'core');
    const answer = await apiOf(system.service('core').url, called).post(submitJobs, submission(experiment));
    expect(answer).toMatchObject(forbidden);
  });
});

it('tokens are in no log', async () => {
  const logs = join(system.data, 'logs');
  for (const name of await readdir(logs)) {
    const text = await readFile(join(logs, name), 'utf8');
    for (const token of [system.token, ...bad.values()].filter((one) => one !== undefined && one.length > 10))
      expect(text.includes(token ?? '')).toBe(false);
    expect(text).not.toContain('mongodb://');
  }
});
