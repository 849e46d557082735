/**
 * The system with each service a process that a story can end and start again: for what must go on when one
 * of them does not.
 */
import { type ApiClient, createClient } from '@rhizome/client';
import type { RunningMongod } from '@rhizome/mongo';
import {
  databasesOf,
  type Identities,
  openIdentities,
  seedExperiments,
  seedQueue,
  storeAddresses,
  type StoreAddresses,
} from '@rhizome/playground';
import { discoverSubgraphs } from '@rhizome/schema';
import { leftovers } from '@rhizome/testkit';
import { type Api, apiOf } from './api.js';
import { recordAnswersOf, startStore } from './devices.js';
import { dataFolder, placeStore, root } from './playground-system.js';
import { type ServiceSet, startServiceSet } from './service-set.js';

/** Options of the services. */
export interface ServiceSystemOptions {
  /** Number of core processes; default one. The gateway uses the first, which leads at the beginning. */
  readonly cores?: number;
  /** Number of gateways; default one. */
  readonly gateways?: number;
  /** Address by which gateways call core; default: the first core process. */
  readonly coreAddress?: (urls: readonly string[]) => string | Promise<string>;
  /** Members of the store's replica set; one unless given. */
  readonly members?: 1 | 3;
  /** The store's address for a core process, where it is another one than the store's own. */
  readonly storeOf?: (core: string, mongo: RunningMongod) => string | Promise<string>;
  /** Names of the experiments that run; all unless given. */
  readonly experiments?: readonly string[];
  /** True if the gateway has an identity store, at which workers enrol; default true. */
  readonly hasIdentities?: boolean;
  /** Settings of the gateway, by variable. */
  readonly gatewayEnv?: Readonly<Record<string, string>>;
}

/** A system of services. */
export interface ServiceSystem extends Omit<ServiceSet, 'killAll'> {
  readonly data: string;
  readonly mongo: RunningMongod;
  readonly identities: Identities;
  readonly token: string;
  /** Connection string of a service. */
  readonly uriOf: StoreAddresses;
  api(token?: string): Api;
  client(token?: string): ApiClient;
}

/** Starts the services, and what a fresh system must have; everything ends with the file. */
export async function startServices(options: ServiceSystemOptions = {}): Promise<ServiceSystem> {
  const { cores = 1, gateways = 1, members = 1, experiments, storeOf, coreAddress } = options;
  const { gatewayEnv, hasIdentities = true } = options;
  const data = await dataFolder();
  await placeStore(data);
  const mongo = await startStore(data, members);
  const identities = await openIdentities(data);
  const all = discoverSubgraphs(root);
  const found = all.filter(({ name, manifest }) => !manifest || (experiments?.includes(name) ?? true));
  const uriOf = storeAddresses(await mongo.users(databasesOf(found)));
  const token = await identities.newcomer();
  const coreUri = storeOf && ((core: string) => storeOf(core, mongo));
  const set = await startServiceSet({
    ...{ data, identities, found, uriOf, coreUri, cores, gateways, coreAddress, gatewayEnv, hasIdentities },
  });
  leftovers.defer('the services', () => set.killAll());
  const { url, wsUrl } = set;
  recordAnswersOf(url, data);
  const client = (own = token): ApiClient =>
    leftovers.use(createClient({ url, wsUrl, token: own }), 'a client');
  await seedQueue(client());
  // Jobs may belong to experiments whose service does not run.
  await seedExperiments(
    client(),
    all.flatMap(({ manifest }) => (manifest ? [manifest] : [])),
  );
  return {
    ...{ data, mongo, identities, url, wsUrl, token, uriOf, client },
    service: (name) => set.service(name),
    startAgain: (name) => set.startAgain(name),
    api: (own = token) => apiOf(url, own),
  };
}
