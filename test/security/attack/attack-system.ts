/**
 * The system under attack: the store, core, two experiments and two gateways, each a process of its own. The
 * second gateway has identities, and thus the endpoints of tokens.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createPrincipal, type Role, roles } from '@rhizome/authz';
import { connectMongo } from '@rhizome/mongo';
import { freePort, type Service, startGateway } from '@rhizome/playground';
import { leftovers, type TestClient, waitFor } from '@rhizome/testkit';
import { apiOf } from '../../e2e/system/api.js';
import { type Grant, speakAsWorker } from '../../e2e/system/pilots.js';
import { type ServiceSystem, startServices } from '../../e2e/system/service-system.js';
import { Evidence } from './evidence.js';

/** Rights with which a case attacks; those of a role hold in the experiment larkspur alone. */
export const callers = [
  'nobody',
  'reader',
  'user',
  'production',
  'operator',
  'admin',
  'everything',
  'pilot',
  'agent',
  'service',
  'attempt',
  'call',
  'expired',
] as const;

/** One of {@link callers}. */
export type Caller = (typeof callers)[number];

type LastingCaller = Exclude<Caller, 'nobody' | 'call'>;

/** Objects of the experiment atlas, which no role of larkspur may reach, and one job of larkspur. */
export interface Targets {
  readonly job: string;
  readonly task: string;
  readonly queue: string;
  readonly worker: string;
  /** A job of atlas that the worker runs. */
  readonly held: Grant;
  /** A secret of atlas. */
  readonly secret: string;
  /** A job of larkspur with a canary in its environment. */
  readonly larkspurJob: string;
}

/** The running system, and what attackers know of it. */
export interface AttackSystem {
  readonly services: ServiceSystem;
  readonly store: TestClient;
  /** The gateway with identities. */
  readonly identities: Service;
  readonly tokens: Readonly<Record<LastingCaller, string>>;
  /** A token that is valid now: those of calls are valid for a minute. */
  tokenOf(caller: Exclude<Caller, 'nobody'>): Promise<string>;
  readonly targets: Targets;
  /** Everything that was answered, and the secrets that must not be in it. */
  readonly evidence: Evidence;
  /** Address of one of the services: `gateway`, `identities`, `core`, `larkspur`. */
  origin(service: string): string;
  /** The processes, by name. */
  pids(): Readonly<Record<string, number>>;
}

/** Starts the system with the objects that attacks aim at. */
export async function startAttackSystem(): Promise<AttackSystem> {
  const services = await startServices({
    experiments: ['larkspur', 'atlas'],
    // A case is one of many: the rates of callers have tests of their own.
    gatewayEnv: { RHIZOME_GATEWAY_RATES: 'off' },
  });
  const { uri } = services.mongo;
  const store = leftovers.use(await connectMongo({ uri, appName: 'attack' }), 'the client of the store');
  const evidence = new Evidence();
  const tokens = await tokensOf(services);
  evidence.plant('token', Object.values(tokens));
  const identities = await startIdentities(services);
  evidence.plant('key', await keysOf(services));
  const targets = await prepare(services, evidence);
  return {
    ...{ services, store, identities, tokens, targets, evidence },
    tokenOf: async (caller) => {
      if (caller !== 'call') return tokens[caller];
      const token = await callToken(services);
      evidence.plant('token', [token]);
      return token;
    },
    origin: (name) => new URL(name === 'identities' ? identities.url : services.service(name).url).origin,
    pids: () => ({
      ...Object.fromEntries(names.map((name) => [name, services.service(name).pid])),
      identities: identities.pid,
    }),
  };
}

/** The private keys of the deployment, as they are in its files. */
async function keysOf({ data }: ServiceSystem): Promise<readonly string[]> {
  const jwks = ['token-key.json', 'call-key.json'].map(async (file) => {
    const { d } = JSON.parse(await readFile(join(data, file), 'utf8')) as { d: string };
    return d;
  });
  const identity = await readFile(join(data, 'identity.key'), 'utf8');
  const master = await readFile(join(data, 'secrets.keys'), 'utf8');
  return [
    ...(await Promise.all(jwks)),
    identity.trim(),
    ...master.split('\n').filter((line) => line.length > 20),
  ];
}

const names = ['core', 'larkspur', 'atlas', 'gateway'];

async function tokensOf({ identities, token }: ServiceSystem): Promise<AttackSystem['tokens']> {
  const { issuer } = identities;
  const of = (role: Role) => [{ experiment: 'larkspur', roles: [role] }];
  const human = (role: Role): Promise<string> =>
    issuer.mint({
      subject: `${role.toLowerCase()}@attack`,
      kind: 'HUMAN',
      grants: of(role),
      ttlSeconds: 7200,
    });
  const agent = { subject: 'agent@attack', kind: 'AGENT', actsFor: 'admin@attack' } as const;
  return {
    reader: await human('READER'),
    user: await human('USER'),
    production: await human('PRODUCTION'),
    operator: await human('OPERATOR'),
    admin: await human('ADMIN'),
    everything: token,
    pilot: await identities.pilot('elsewhere'),
    agent: await issuer.mint({ ...agent, grants: of('ADMIN'), boundedBy: of('ADMIN'), ttlSeconds: 7200 }),
    service: await identities.service('larkspur'),
    attempt: await issuer.mint({
      ...{ subject: 'admin@attack', kind: 'HUMAN', grants: of('ADMIN'), ttlSeconds: 7200 },
      ...{ tokenKind: 'ATTEMPT', attempt: { job: 'job_x', number: 1, fence: 1 } },
    } as never),
    expired: await issuer.mint({
      ...{ subject: 'admin@attack', kind: 'HUMAN', grants: of('ADMIN') },
      ...{ ttlSeconds: 60, issuedAt: new Date(Date.now() - 7_200_000) },
    }),
  };
}

/** A token with which the gateway calls larkspur for an administrator. */
async function callToken({ identities }: ServiceSystem): Promise<string> {
  const caller = createPrincipal({
    ...{ kind: 'HUMAN', subject: 'admin@attack', grants: [{ experiment: 'larkspur', roles: ['ADMIN'] }] },
    expiresAt: new Date(Date.now() + 7_200_000),
  });
  return identities.calls.tokenFor(caller, 'larkspur');
}

/** A second gateway, with an issuer of its own. */
async function startIdentities({ data, identities, uriOf }: ServiceSystem): Promise<Service> {
  const port = await freePort();
  const issuers = [
    {
      ...{ issuer: identities.issuer.issuer, jwksFile: join(data, 'jwks.json'), alias: 'site' },
      ...{
        kinds: ['USER', 'AGENT', 'SERVICE', 'QUEUE'],
        roles,
        experiments: '*',
        maxLifetimeSeconds: 604_800,
      },
    },
  ];
  const world = { data, issuer: identities.issuer, mongoUri: uriOf('gateway') };
  const env = {
    RHIZOME_GATEWAY_RATES: 'off',
    RHIZOME_GATEWAY_ALLOW_QUEUE_TOKENS: 'true',
    RHIZOME_GATEWAY_ISSUERS: JSON.stringify(issuers),
    RHIZOME_GATEWAY_INTROSPECTION: 'off',
    RHIZOME_GATEWAY_GRAPHIQL: 'false',
    RHIZOME_GATEWAY_IDENTITY_ISSUER: `http://127.0.0.1:${port}`,
    RHIZOME_GATEWAY_IDENTITY_KEY_FILE: join(data, 'identity.key'),
  };
  const service = await startGateway({ ...world, env }, { name: 'identities', port });
  leftovers.defer('the gateway with identities', () => service.kill());
  await service.untilReady();
  return service;
}

/** Makes the objects, with canaries in what only their owners may read. */
async function prepare(services: ServiceSystem, evidence: Evidence): Promise<Targets> {
  const api = services.api();
  const limits = '{ heartbeatSeconds: 300, leaseSeconds: 3600 }';
  const queue = await api.data<{ createQueue: { userErrors: object[] } }>(
    `mutation { createQueue(input: { name: "citadel", site: "POLE", experiments: ["atlas"], limits: ${limits} }) { userErrors { message } } }`,
  );
  if (queue.createQueue.userErrors.length > 0) throw new Error(JSON.stringify(queue));
  const worker = await speakAsWorker(
    { url: services.url, data: services.data, identities: services.identities },
    { name: 'spoken', queue: 'citadel' },
  );
  const held = await submitTo(services, evidence, 'atlas', { queue: 'citadel' });
  const [grant] = await worker.acquire(1, { waitSeconds: 60 });
  if (grant?.job.id !== held) throw new Error('the job was not granted');
  await worker.start(grant, 'RUNNING');
  const far = { cores: 4000 };
  const job = await submitTo(services, evidence, 'atlas', far);
  const larkspurJob = await submitTo(services, evidence, 'larkspur', far);
  const task = await api.data<{ submitTask: { task: { id: string } } }>(
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
    {
      input: {
        ...{ experiment: 'atlas', idempotencyKey: randomUUID(), name: 'task', jobs: { count: 1 } },
        template: { name: 'x', payload: { command: 'true' }, requirements: far },
      },
    },
  );
  const taskId = task.submitTask.task.id;
  const query = 'query ($id: ID!) { task(id: $id) { state } }';
  const isExpanded = async (): Promise<boolean> =>
    (await api.data<{ task: { state: string } }>(query, { id: taskId })).task.state === 'RUNNING';
  await waitFor('the jobs of the task', isExpanded, { deadlineMs: 60_000 });
  return {
    ...{ job, larkspurJob, held: grant },
    task: taskId,
    secret: await createSecret(services, evidence),
    queue: 'citadel',
    worker: worker.id,
  };
}

/** Stores a secret of atlas. */
async function createSecret(services: ServiceSystem, evidence: Evidence): Promise<string> {
  const value = `CANARY-${randomUUID()}`;
  evidence.plant('secret', [value]);
  const { createSecret: created } = await services.api().data<{
    createSecret: { secret: { id: string } | null; userErrors: object[] };
  }>('mutation ($input: CreateSecretInput!) { createSecret(input: $input) { secret { id } userErrors { message } } }', { input: { name: 'PASSWORD', value, experiment: 'atlas' } });
  if (created.secret === null) throw new Error(JSON.stringify(created));
  return created.secret.id;
}

/** Submits a job of somebody else, with a canary in its environment. */
async function submitTo(
  { url, identities }: ServiceSystem,
  evidence: Evidence,
  experiment: string,
  requirements: object,
): Promise<string> {
  const token = await identities.issuer.mint({
    ...{ subject: 'owner@elsewhere', kind: 'HUMAN', ttlSeconds: 7200 },
    grants: [{ experiment, roles: ['USER'] }],
  });
  const value = `CANARY-${randomUUID()}`;
  evidence.plant('environment', [value]);
  const payload = { command: 'true', environment: [{ name: 'PASSWORD', value }] };
  const jobs = [{ name: 'guarded', payload, requirements }];
  const input = { experiment, idempotencyKey: randomUUID(), jobs };
  const { submitJobs } = await apiOf(url, token).data<{
    submitJobs: { jobs: ({ id: string } | null)[]; userErrors: object[] };
  }>(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
    { input },
  );
  const id = submitJobs.jobs[0]?.id;
  if (id === undefined) throw new Error(JSON.stringify(submitJobs));
  return id;
}
