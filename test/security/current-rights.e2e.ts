// A real gateway with identities and a real core, two processes: rights that end while work goes on.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '@rhizome/mongo';
import {
  pauseProcess,
  spawnProcess,
  testDatabase,
  testMongo,
  type TestProcess,
  type TestTokens,
  testTokens,
  waitFor,
} from '@rhizome/testkit';
import { type TestIssuer, testIssuer } from '@rhizome/testkit/oidc';
import { decodeJwt } from 'jose';
import { type Answer, apiOf, mutationText } from '../e2e/system/api.js';
import { root } from '../e2e/system/playground-system.js';
import { programOf } from '../e2e/system/program-of.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { exchangeToken } from '../e2e/system/token-endpoint.js';

const deadline = { deadlineMs: 120_000 };

let folder: string;
let origin: string;
let tokens: TestTokens;
let admin: string;
let issuer: TestIssuer;
let core: TestProcess;

function ask<T>(query: string, variables?: object, token = admin): Promise<Answer<T>> {
  return apiOf(`${origin}/graphql`, token).post<T>(query, variables);
}

function change<T>(field: string, input: object, token = admin, select = ''): Promise<T> {
  return apiOf(`${origin}/graphql`, token).change<T>(field, input, select);
}

/** A token of Rhizome for a token of the institute, or for one of its own. */
const exchanged = async (subjectToken: string, more: Record<string, string> = {}): Promise<string> =>
  (await exchangeToken(origin, subjectToken, more)).access_token;

interface Person {
  readonly id: string;
  readonly token: string;
}

/** Logs in somebody who is a member of `alpha`, and may read in `beta`. */
async function member(name: string, role = 'PRODUCTION'): Promise<Person> {
  const outside = (): Promise<string> => issuer.issue({ sub: name, client_id: undefined });
  const { sub: id } = decodeJwt<{ sub: string }>(await exchanged(await outside()));
  await change('setMembership', { principalId: id, experiment: 'alpha', roles: [role] });
  await change('setMembership', { principalId: id, experiment: 'beta', roles: ['READER'] });
  return { id, token: await exchanged(await outside()) };
}

const removeFrom = (experiment: string, { id }: Person): Promise<unknown> =>
  change('setMembership', { principalId: id, experiment, roles: [] });

beforeAll(async () => {
  folder = await temporaryFolder('rights');
  tokens = await testTokens();
  admin = await tokens.admin();
  issuer = await testIssuer();
  const [port, { uri }] = [await freePort(), await testMongo()];
  origin = `http://127.0.0.1:${port}`;
  const file = async (name: string, value: object): Promise<string> => {
    await writeFile(join(folder, name), JSON.stringify(value));
    return join(folder, name);
  };
  core = spawnProcess({
    name: 'core',
    command: 'node',
    args: [programOf('@rhizome/core')],
    env: {
      RHIZOME_CORE_MONGO_URI: uri,
      RHIZOME_CORE_DATABASE: (await testDatabase('core')).databaseName,
      RHIZOME_CORE_PORT: '0',
      RHIZOME_CORE_ADDRESS_FILE: join(folder, 'core.address'),
      RHIZOME_CORE_GATEWAY_KEYS_JWKS_FILE: await file('calls.json', tokens.calls.jwks()),
      RHIZOME_CORE_RIGHTS_URL: origin,
      RHIZOME_CORE_RIGHTS_KEY_FILE: join(folder, 'core-key.json'),
    },
  });
  await core.line(/"msg":"core started"/, 120_000);
  const coreUrl = (await readFile(join(folder, 'core.address'), 'utf8')).trim();
  const trusted = {
    issuer: tokens.trusted.issuer,
    alias: 'test',
    kinds: ['USER', 'SERVICE'],
    roles: ['ADMIN', 'SERVICE'],
    experiments: '*',
  };
  const gateway = spawnProcess({
    name: 'gateway',
    command: 'node',
    args: [programOf('@rhizome/gateway')],
    env: {
      RHIZOME_GATEWAY_SUPERGRAPH: join(root, 'schema', 'supergraph.graphql'),
      RHIZOME_GATEWAY_SUBGRAPHS: JSON.stringify({ core: { url: coreUrl } }),
      RHIZOME_GATEWAY_PORT: String(port),
      RHIZOME_GATEWAY_ISSUERS: JSON.stringify([
        { ...trusted, jwksFile: await file('jwks.json', tokens.trusted.jwks as object) },
      ]),
      RHIZOME_GATEWAY_CALL_KEY_FILE: tokens.callKeyFile,
      RHIZOME_GATEWAY_IDENTITY_ISSUER: 'https://rhizome.test',
      RHIZOME_GATEWAY_IDENTITY_MONGO_URI: uri,
      RHIZOME_GATEWAY_IDENTITY_DATABASE: (await testDatabase('identity')).databaseName,
      RHIZOME_GATEWAY_IDENTITY_KEY_FILE: join(folder, 'identity-key'),
      RHIZOME_GATEWAY_CORE_KEYS_JWKS_FILE: join(folder, 'core-key.json.jwks'),
    },
  });
  await gateway.line(/^rhizome-gateway: /, 120_000);
  for (const name of ['alpha', 'beta']) await change('registerExperiment', { name, title: name });
  await change('setTokenIssuer', {
    ...{ name: 'institute', issuer: issuer.issuer, profile: 'OIDC', audiences: [issuer.audience] },
    ...{ experiments: ['alpha', 'beta'], roles: ['READER', 'USER', 'PRODUCTION'] },
    rules: [{ name: 'all', isForEveryone: true, grants: [{ experiment: 'alpha', roles: ['READER'] }] }],
  });
});

const requirements = { cores: 4096 };
const payload = { command: 'true' };

/** A task with more jobs than a call changes at once, all of them made. */
async function largeTask({ token }: Person, count: number): Promise<string> {
  const template = { name: 'x', payload, requirements };
  const input = { experiment: 'alpha', idempotencyKey: 'large', name: 'large', jobs: { count }, template };
  const { task } = await change<{ task: { id: string } }>('submitTask', input, token, 'task { id }');
  const made = async (): Promise<boolean> => {
    const text = 'query ($id: ID!) { task(id: $id) { state } }';
    const { data, errors } = await ask<{ task: { state: string } }>(text, { id: task.id });
    if (errors) throw new Error(JSON.stringify(errors));
    return data?.task.state === 'RUNNING';
  };
  await waitFor('all jobs of the task', made, deadline);
  return task.id;
}

/** The part of an answer that leads to the recorded change. */
interface Changed {
  readonly result: { readonly operation: { readonly id: string } };
}

interface Operation {
  readonly state: string;
  readonly changedCount: number;
  readonly refusedCount: number;
  readonly refusedByReason: readonly { readonly code: string; readonly count: number }[];
  readonly refusals: readonly { readonly code: string; readonly message: string }[];
}

async function operation(id: string): Promise<Operation> {
  const text = `query ($id: ID!) { bulkOperation(id: $id) { state changedCount refusedCount
    refusedByReason { code count } refusals { code message } } }`;
  const { data } = await ask<{ bulkOperation: Operation }>(text, { id });
  if (!data) throw new Error(`no operation ${id}`);
  return data.bulkOperation;
}

describe('the end of rights while work goes on', () => {
  it('refuses and records the rest of a bulk change', async () => {
    const count = 25_000;
    const ann = await member('ann');
    const taskId = await largeTask(ann, count);
    const selection = { filter: { taskIds: [taskId] } };
    const select = 'result { operation { id } }';
    const { result } = await change<Changed>('cancelJobs', { selection }, ann.token, select);
    const id = result.operation.id;
    // Core stands still while the membership ends, so that the rest of the jobs is still open.
    const resume = await pauseProcess(core.pid);
    const stoppedAt = performance.now();
    await removeFrom('alpha', ann);
    await waitFor('the end of what core knows', () => performance.now() - stoppedAt > 2500, deadline);
    resume();
    await waitFor('the end of the change', async () => (await operation(id)).state === 'DONE', deadline);
    const ended = await operation(id);
    expect(ended.changedCount + ended.refusedCount).toBe(count);
    expect(ended.refusedByReason).toEqual([{ code: 'FORBIDDEN', count: ended.refusedCount }]);
    expect(ended.refusedCount).toBeGreaterThan(10_000);
    expect(ended.refusals[0]?.message).toMatch(/may not change job .*: you may not job:cancel in alpha/);
  });

  it('refuses the rest of a bulk change of a caller whose tokens are revoked', async () => {
    const bob = await member('bob');
    const taskId = await largeTask({ ...bob }, 12_000);
    const selection = { filter: { taskIds: [taskId] } };
    const held = { selection, reason: 'wait' };
    const { result } = await change<Changed>('holdJobs', held, bob.token, 'result { operation { id } }');
    const resume = await pauseProcess(core.pid);
    const stoppedAt = performance.now();
    const response = await fetch(`${origin}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ token: bob.token }),
    });
    expect(response.status).toBe(200);
    await waitFor('the end of what core knows', () => performance.now() - stoppedAt > 2500, deadline);
    resume();
    const id = result.operation.id;
    await waitFor('the end of the change', async () => (await operation(id)).state === 'DONE', deadline);
    const { refusals, refusedByReason } = await operation(id);
    expect(refusedByReason).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect(refusals[0]?.message).toMatch(/You may no longer change job/);
  });

  it('takes the rights from the agent of a human, too', async () => {
    const cid = await member('cid', 'USER');
    const agent = await exchanged(cid.token, { agent: 'notebook' });
    const reads = async (token: string): Promise<string> => {
      const text = '{ shares(experiment: "beta") { nodes { path } } }';
      const { data, errors } = await ask<{ shares: { nodes: readonly object[] } }>(text, {}, token);
      return errors?.[0]?.extensions.code ?? (data?.shares.nodes.length === 0 ? 'none' : 'rows');
    };
    expect([await reads(cid.token), await reads(agent)]).toEqual(['rows', 'rows']);
    await removeFrom('beta', cid);
    await waitFor('the loss', async () => (await reads(agent)) !== 'rows', { deadlineMs: 2000 });
    expect(await reads(cid.token)).toBe(await reads(agent));
    // The rest of its rights stays.
    expect(
      (await ask('{ shares(experiment: "alpha") { nodes { path } } }', {}, agent)).errors,
    ).toBeUndefined();
  });

  it('refuses submissions of a service for a person', async () => {
    const dan = await member('dan', 'USER');
    await change('allowSubmissionOnBehalf', { experiment: 'alpha' }, dan.token);
    const service = await tokens.service('alpha');
    let serial = 0;
    const submit = async (): Promise<readonly string[]> => {
      const input = { experiment: 'alpha', idempotencyKey: `dan ${(serial += 1)}`, onBehalfOf: dan.id };
      const jobs = [{ name: 'x', payload, requirements }];
      const variables = { input: { ...input, jobs } };
      const { data, errors } = await ask<{ submitJobs: { userErrors: readonly { code: string }[] } }>(
        mutationText('submitJobs'),
        variables,
        service,
      );
      if (errors || !data) throw new Error(JSON.stringify(errors));
      return data.submitJobs.userErrors.map(({ code }) => code);
    };
    expect(await submit()).toEqual([]);
    await removeFrom('alpha', dan);
    const refused = async (): Promise<boolean> => (await submit()).includes('CONSENT_MISSING');
    await waitFor('the refusal', refused, { deadlineMs: 2000 });
  });
});
