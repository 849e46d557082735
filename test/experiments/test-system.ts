/**
 * For tests: a real core and the experiments under test behind a real gateway, on a real store, in this
 * process.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ApiClient, createClient, isRhizomeApiError, type TypedDocumentNode } from '@rhizome/client';
import { buildCore, masterKeysOf } from '@rhizome/core';
import type { ExperimentModule, ExperimentService } from '@rhizome/experiment';
import { buildGateway, createInProcessTransport, serveGateway } from '@rhizome/gateway';
import type { Identity } from '@rhizome/identity';
import { narrowPrincipal, type Principal } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { lazyClient } from '@rhizome/playground';
import { createIds, systemClock } from '@rhizome/clock';
import { compose, discoverSubgraphs, type FoundSubgraph } from '@rhizome/schema';
import { createInProcess, type InProcessSubgraph } from '@rhizome/subgraph';
import {
  answersCountFor,
  leftovers,
  type TestDatabase,
  testDatabase,
  type TestTokens,
  testTokens,
} from '@rhizome/testkit';
import { type DocumentNode, parse } from 'graphql';
import { type AnyData, apiOf } from '../e2e/system/api.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { wholeGateway } from './whole-gateway.js';

const root = join(fileURLToPath(import.meta.url), '..', '..', '..', '..');

/** Components of an experiment, to build it again. */
export interface RunningExperiment {
  readonly db: TestDatabase;
  service: ExperimentService;
  /**
   * Ends the service and builds and starts another one on the same database, as a new process would. @param
   * core instead of the usual client
   */
  restart(core?: ApiClient): Promise<void>;
}

/** The system. */
export interface System {
  readonly url: string;
  readonly tokens: TestTokens;
  readonly core: { readonly db: TestDatabase };
  /** By name. */
  readonly experiments: Readonly<Record<string, RunningExperiment>>;
  /** A client with a token; everywhere ADMIN unless given. */
  client(token?: string): Promise<ApiClient>;
  /** A client of an experiment's service principal. */
  service(name: string): ApiClient;
  /** Registers an experiment with core, with two shares; the admin allows it to submit on its behalf. */
  register(name: string): Promise<void>;
  /** Allows an experiment to submit on behalf of the holder of the token. */
  allow(name: string, token: string): Promise<void>;
  /** Sends an operation to the gateway; returns the answer as plain JSON, and its errors. */
  ask(text: string, variables?: object, token?: string): Promise<Asked>;
  /** Identities of the gateway, if it was started with them. */
  readonly identity: Identity | undefined;
  /** Calls a subgraph as the gateway does for the caller with the token, or for itself. */
  askSubgraph(name: string, text: string, variables: object, caller: string | Principal): Promise<Asked>;
}

/** Options of {@link startTestSystem}. */
export interface TestSystemOptions {
  /** Registers the experiments with core; default true. */
  readonly registered?: boolean;
  /** Gives the gateway a registry, an audit log and identities; default false. */
  readonly isWhole?: boolean;
}

/** An answer. */
export interface Asked {
  readonly data: AnyData;
  readonly errors: readonly { readonly code: string; readonly message: string }[];
}

const documents = new Map<string, TypedDocumentNode<Record<string, unknown>, object>>();

/** A document of a text, parsed once. */
export function document(text: string): TypedDocumentNode<Record<string, unknown>, object> {
  const known = documents.get(text) ?? (parse(text) as TypedDocumentNode<Record<string, unknown>, object>);
  documents.set(text, known);
  return known;
}

/** Runs a mutation as ADMIN of all. @throws Error if it is refused */
export async function mutate(
  { url, tokens }: System,
  field: string,
  input: object,
  select = '',
): Promise<AnyData> {
  return apiOf(url, await tokens.admin()).change<AnyData>(field, input, select);
}

/**
 * Starts core, the experiments and the gateway; all of them end with the file. Experiments are registered by
 * default.
 */
export async function startTestSystem(
  modules: readonly ExperimentModule[],
  { registered = true, isWhole = false }: TestSystemOptions = {},
): Promise<System> {
  const log = silentLogger();
  const tokens = await testTokens();
  const coreDb = await testDatabase('core');
  const masterKeyFile = join(await temporaryFolder('master-key'), 'master.keys');
  const keys = await masterKeysOf({ masterKeyFile });
  const config = { secrets: { keys } };
  const core = buildCore({ db: coreDb, clock: systemClock, ids: createIds(), log, config });
  const subgraphs = new Map<string, InProcessSubgraph>([
    ['core', createInProcess({ subgraph: core.subgraph, log })],
  ]);
  let url = '';
  const service = (name: string): ApiClient =>
    leftovers.use(
      createClient({ url, token: () => tokens.service(name), reconnect: { initialDelayMs: 20 } }),
      `client of ${name}`,
    );
  const experiments: Record<string, RunningExperiment> = {};
  await core.start();
  for (const module of modules) {
    const db = await testDatabase(module.name);
    const experiment = await openExperiment(
      module,
      db,
      // The gateway listens only after the experiments are built.
      lazyClient(() => service(module.name)),
      subgraphs,
    );
    experiments[module.name] = experiment;
  }
  const found = discoverSubgraphs(root).filter(({ name }) => subgraphs.has(name));
  const whole = isWhole ? await wholeGateway(found, root, tokens) : undefined;
  const { verifier = tokens.verifier, ...more } = whole?.options ?? { supergraphSdl: composedOf(found) };
  const gateway = await buildGateway({
    ...more,
    transports: (name) => createInProcessTransport(delegate(name, subgraphs)),
    verifier,
    log,
    planning: 'inline',
    // A fast machine exceeds the rates of one caller; they have tests of their own.
    rates: 'off',
  });
  const served = await serveGateway(gateway, { port: 0 });
  url = served.url;
  answersCountFor(coreDb.databaseName, served);
  leftovers.defer('the system', async () => {
    await Promise.all(Object.values(experiments).map((experiment) => experiment.service.stop()));
    await served.close(500);
    await core.stop();
  });
  await Promise.all(Object.values(experiments).map((experiment) => experiment.service.start()));
  const client = async (token?: string): Promise<ApiClient> =>
    leftovers.use(createClient({ url, token: token ?? (await tokens.admin()) }), 'a client');
  const admin = await client();
  const ask = async (text: string, variables: object = {}, token?: string): Promise<Asked> => {
    const asking = token === undefined ? admin : await client(token);
    try {
      return await asking.execute(document(text), variables, { idempotent: false });
    } catch (error) {
      if (isRhizomeApiError(error)) return { data: null, errors: error.errors };
      throw error;
    }
  };
  const register = (name: string): Promise<void> => registerExperiment(ask, name);
  if (registered) for (const name of Object.keys(experiments)) await register(name);
  await ask('mutation ($i: CreateQueueInput!) { createQueue(input: $i) { userErrors { message } } }', {
    i: { name: 'north', site: 'POLE', idempotencyKey: 'north' },
  });
  const allow = (name: string, token: string): Promise<void> => allowSubmission(ask, name, token);
  const askSubgraph: System['askSubgraph'] = async (name, text, variables, caller) => {
    const principal = narrowPrincipal(
      typeof caller === 'string' ? await verifier.verify(caller) : caller,
      experiments[name] === undefined ? undefined : name,
    );
    const call = { document: document(text) as DocumentNode, variables: { ...variables }, principal };
    const { data, errors = [] } = await delegate(name, subgraphs).execute({ ...call, requestId: 'test' });
    const plain = JSON.parse(JSON.stringify(data ?? null)) as AnyData;
    return {
      data: plain,
      errors: errors.map(({ message, extensions }) => ({ message, code: String(extensions?.['code']) })),
    };
  };
  const { identity } = whole ?? {};
  const shared = { url, tokens, core: { db: coreDb }, experiments, identity };
  return { ...shared, client, service, register, allow, ask, askSubgraph };
}

/** The supergraph of the subgraphs alone. */
function composedOf(found: readonly FoundSubgraph[]): string {
  const composed = compose(found);
  if (composed.ok) return composed.supergraphSdl;
  throw new Error(JSON.stringify(composed.faults));
}

async function openExperiment(
  module: ExperimentModule,
  db: TestDatabase,
  core: ApiClient,
  subgraphs: Map<string, InProcessSubgraph>,
): Promise<RunningExperiment> {
  const log = silentLogger();
  const build = async (by: ApiClient): Promise<ExperimentService> => {
    const service = await module.build({ db, clock: systemClock, ids: createIds(), log, core: by });
    subgraphs.set(module.name, createInProcess({ subgraph: service.subgraph, log }));
    return service;
  };
  const experiment: RunningExperiment = {
    db,
    service: await build(core),
    restart: async (other = core) => {
      await experiment.service.stop();
      experiment.service = await build(other);
      await experiment.service.start();
    },
  };
  return experiment;
}

/** The subgraph of a name as it now is: experiments are built again under a gateway that stays. */
function delegate(name: string, subgraphs: ReadonlyMap<string, InProcessSubgraph>): InProcessSubgraph {
  const current = (): InProcessSubgraph => {
    const subgraph = subgraphs.get(name);
    if (!subgraph) throw new Error(`no subgraph ${name}`);
    return subgraph;
  };
  return {
    name,
    sdl: current().sdl,
    execute: (call) => current().execute(call),
    subscribe: (call) => current().subscribe(call),
  };
}

async function allowSubmission(ask: System['ask'], experiment: string, token?: string): Promise<void> {
  const text =
    'mutation ($i: AllowSubmissionOnBehalfInput!) { allowSubmissionOnBehalf(input: $i) { userErrors { message } } }';
  const { data } = await ask(text, { i: { experiment } }, token);
  if (data?.allowSubmissionOnBehalf.userErrors.length !== 0) throw new Error(JSON.stringify(data));
}

async function registerExperiment(ask: System['ask'], name: string): Promise<void> {
  await ask(
    'mutation ($i: RegisterExperimentInput!) { registerExperiment(input: $i) { userErrors { message } } }',
    {
      i: { name, title: name },
    },
  );
  const shares = ['production', 'analysis'].map((leaf) => ({ leaf, nominalCores: 10 }));
  await ask('mutation ($i: SetSharesInput!) { setShares(input: $i) { userErrors { message } } }', {
    i: { experiment: name, shares },
  });
  await allowSubmission(ask, name);
}
