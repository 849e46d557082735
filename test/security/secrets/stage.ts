/** The system of the stories of secrets: a gateway with identities, core, and an administrator who calls. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { createProofKey } from '@rhizome/client';
import { masterKeysOf } from '@rhizome/core';
import { createLogger } from '@rhizome/log';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, type TestClient, testMongo, waitFor } from '@rhizome/testkit';
import { type AnyData, type Answer, type Api, apiOf, mutationText } from '../../e2e/system/api.js';
import { type IdentitySystem, prepareWork, startIdentitySystem } from '../../e2e/system/identity-system.js';
import type { RunningPilot } from '../../e2e/system/pilots.js';
import { temporaryFolder } from '../../e2e/system/temporary-folder.js';
import { testAudit } from '../../e2e/system/test-audit.js';
import type { WorkerPlace } from '../../e2e/system/worker-credentials.js';
import { enrol, invitationFile, startPilot } from '../enrolled-pilots.js';
import { robotInput } from '../robot-inputs.js';

/** A storage that trusts the gateway. */
export const archive = {
  ...{ name: 'archive-1', audience: 'https://archive.test', experiments: ['alpha'] },
  ...{ read: ['/data'], create: ['/jobs/{job}'] },
};

export let started: IdentitySystem;
export let system: WorkerPlace;
export let store: TestClient;
/** Names of all databases of the system. */
export let databases: readonly string[];
/** Lines that the system has logged. */
export const logged: string[] = [];
/** Everything that callers and pilots received. */
export const answers: string[] = [];
const log = createLogger({
  name: 'system',
  level: 'debug',
  destination: { write: (line: string): void => void logged.push(line) },
});

/** Starts the system; call it once, before all stories. */
export async function startStage(): Promise<void> {
  const folder = await temporaryFolder('secrets');
  const { uri: mongoUri } = await testMongo();
  store = leftovers.use(await connectMongo({ uri: mongoUri, appName: 'test' }), 'the client of the store');
  const { audit, database: auditDatabase } = await testAudit({ log });
  const keys = await masterKeysOf({ masterKeyFile: join(folder, 'master.keys') });
  started = await startIdentitySystem({
    ...{ folder, attemptSeconds: 60, log, storages: [archive] },
    core: { config: { secrets: { keys } } },
    gateway: { audit },
  });
  const { core, identity } = started.databases;
  databases = [identity.databaseName, auditDatabase, core.databaseName];
  system = { url: started.url, data: folder, token: started.admin };
  await prepareWork(apiOf(system.url, system.token));
}

/** Calls as an administrator, or as somebody else; the answer is kept. */
export async function ask(
  query: string,
  variables?: object,
  api: Api = apiOf(system.url, system.token),
): Promise<Answer<AnyData>> {
  const answer = await api.post<AnyData>(query, variables);
  answers.push(JSON.stringify(answer));
  return answer;
}

/** The result of a mutation with one input, which may have user errors; the answer is kept. */
export async function change(
  field: string,
  input: object,
  selection = 'userErrors { code }',
  api?: Api,
): Promise<AnyData> {
  return (await ask(mutationText(field, selection), { input }, api)).data[field];
}

/** Enrols a pilot and starts it. @param more further arguments of the pilot */
export async function enrolled(name: string, ...more: readonly string[]): Promise<RunningPilot> {
  const { exited } = enrol(system, name, ['--code-file', await invitationFile(system)]);
  expect(await exited).toMatchObject({ code: 0 });
  return startPilot(system, name, ...more);
}

/** A service that may submit in the experiment: a robot with a key of its own. */
export async function serviceApi(): Promise<Api> {
  const key = createProofKey();
  const input = robotInput('alpha', ['SERVICE'], key);
  const { robot } = await change('registerRobot', input, 'robot { id } userErrors { message }');
  const exp = Math.floor(Date.now() / 1000) + 60;
  const claims = {
    iss: robot.id,
    sub: robot.id,
    aud: started.identity.trusted.issuer,
    jti: randomUUID(),
    exp,
  };
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: key.statement('JWT', claims),
  });
  const answer = await fetch(new URL('/oauth/token', system.url), { method: 'POST', body });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return apiOf(system.url, token);
}

/** Submits a job with both secrets. @returns its id, or the errors as text */
export async function submit(shell: string, more: object = {}, requirements: object = {}): Promise<string> {
  const secrets = [
    { name: 'PASSWORD', as: 'VARIABLE' },
    { name: 'KEY', scope: 'EXPERIMENT', target: 'service.key' },
  ];
  const job = {
    name: 'with secrets',
    payload: { command: 'sh', arguments: ['-c', shell], secrets, ...more },
    requirements: { queue: 'north', memoryMiB: 64, diskMiB: 1, ...requirements },
  };
  const input = { experiment: 'alpha', idempotencyKey: `key ${(serial += 1)}`, jobs: [job] };
  const { jobs, userErrors } = await change('submitJobs', input, 'jobs { id } userErrors { code path }');
  return jobs[0]?.id ?? JSON.stringify(userErrors);
}
let serial = 0;

/** A job with its log. */
export interface JobView {
  readonly state: string;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly log: { readonly chunks: readonly { readonly text: string }[] };
}

export async function jobOf(id: string): Promise<JobView> {
  const text =
    'query ($id: ID!) { job(id: $id) { state error { code message } log(first: 1000) { chunks { text } } } }';
  return (await ask(text, { id })).data.job;
}

/** Waits until a job is in one of the states. */
export async function reached(id: string, ...states: readonly string[]): Promise<JobView> {
  return waitFor(
    `job ${id} in ${states.join(' or ')}`,
    async () => {
      const job = await jobOf(id);
      return states.includes(job.state) && job;
    },
    { deadlineMs: 120_000 },
  );
}

export const ended = (id: string): Promise<JobView> => reached(id, 'FINISHED', 'FAILED');

export const textOf = ({ chunks }: JobView['log']): string => chunks.map(({ text }) => text).join('');

export const cancel = (id: string): Promise<unknown> => change('cancelJobs', { selection: { ids: [id] } });
