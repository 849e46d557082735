/**
 * The system with each service a process that a story can end and start again: for what must go on when one
 * of them does not.
 */
import { mkdir } from 'node:fs/promises';
import { type ApiClient, createClient } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import type { RunningMongod } from '@rhizome/mongo';
import {
  databasesOf,
  freePort,
  type Identities,
  openIdentities,
  seedExperiments,
  seedQueue,
  type Service,
  type ServiceWorld,
  startCore,
  startExperiment,
  startGateway,
  registerFound,
  storeAddresses,
  type StoreAddresses,
} from '@rhizome/playground';
import { discoverSubgraphs, type ExperimentManifest, type FoundSubgraph } from '@rhizome/schema';
import { leftovers } from '@rhizome/testkit';
import { type Api, apiOf } from './api.js';
import { startStore } from './devices.js';
import { dataFolder, root } from './playground-system.js';

/** Options of the services. */
export interface ServiceSystemOptions {
  /** Number of core processes; default one. The gateway uses the first, which leads at the beginning. */
  readonly cores?: number;
  /** Members of the store's replica set; one unless given. */
  readonly members?: 1 | 3;
  /** The store's address for a core process, where it is another one than the store's own. */
  readonly storeOf?: (core: string, mongo: RunningMongod) => string | Promise<string>;
  /** Names of the experiments that run; all unless given. */
  readonly experiments?: readonly string[];
}

/** A system of services. */
export interface ServiceSystem {
  readonly data: string;
  readonly mongo: RunningMongod;
  readonly identities: Identities;
  readonly url: string;
  readonly wsUrl: string;
  readonly token: string;
  /** A service by name: `core`, `core-2`, `gateway`, or an experiment's. */
  service(name: string): Service;
  /** Starts a service that has ended again, at the address it had; resolves when it is ready. */
  startAgain(name: string): Promise<void>;
  api(token?: string): Api;
  client(token?: string): ApiClient;
}

/** Starts the services, and what a fresh system must have; everything ends with the file. */
export async function startServices(options: ServiceSystemOptions = {}): Promise<ServiceSystem> {
  const { cores = 1, members = 1, experiments, storeOf } = options;
  const data = await dataFolder();
  await mkdir(data, { recursive: true });
  const mongo = await startStore(data, members);
  const identities = await openIdentities(data);
  const found = discoverSubgraphs(root).filter(
    ({ name, manifest }) => !manifest || (experiments?.includes(name) ?? true),
  );
  const uriOf = storeAddresses(await mongo.users(databasesOf(found)));
  const store = { mongo, uriOf };
  const system = new System(data, store, identities, await identities.newcomer(), found, await freePort());
  await system.start(cores, storeOf ?? (() => uriOf('core')));
  return system;
}

class System implements ServiceSystem {
  readonly #found: readonly FoundSubgraph[];
  readonly #gatewayPort: number;
  readonly #services = new Map<string, Service>();
  readonly #starters = new Map<string, (port: number) => Promise<Service>>();
  readonly #world: Omit<ServiceWorld, 'mongoUri'>;
  readonly #uriOf: StoreAddresses;
  readonly mongo: RunningMongod;
  readonly url: string;
  readonly wsUrl: string;

  constructor(
    readonly data: string,
    store: { readonly mongo: RunningMongod; readonly uriOf: StoreAddresses },
    readonly identities: Identities,
    readonly token: string,
    found: readonly FoundSubgraph[],
    gatewayPort: number,
  ) {
    this.#found = found;
    this.#gatewayPort = gatewayPort;
    this.mongo = store.mongo;
    this.#uriOf = store.uriOf;
    this.#world = { data, issuer: identities.issuer };
    this.url = `http://127.0.0.1:${gatewayPort}/graphql`;
    this.wsUrl = this.url.replace('http', 'ws');
    leftovers.defer('the services', () => Promise.all([...this.#services.values()].map((one) => one.kill())));
  }

  service(name: string): Service {
    const service = this.#services.get(name);
    if (!service)
      throw new Error(`no service ${name} runs here; there are ${[...this.#services.keys()].join(', ')}`);
    return service;
  }

  async startAgain(name: string): Promise<void> {
    const before = this.service(name);
    await before.exited;
    await (await this.#run(name, Number(new URL(before.url).port))).untilReady();
  }

  api(token = this.token): Api {
    return apiOf(this.url, token);
  }

  client(token = this.token): ApiClient {
    return leftovers.use(createClient({ url: this.url, wsUrl: this.wsUrl, token }), 'a client');
  }

  async start(cores: number, storeOf: NonNullable<ServiceSystemOptions['storeOf']>): Promise<void> {
    const coreNames = Array.from({ length: cores }, (_, index) =>
      index === 0 ? 'core' : `core-${index + 1}`,
    );
    for (const name of coreNames) {
      const world = { ...this.#world, mongoUri: await storeOf(name, this.mongo) };
      this.#starters.set(name, (port) => startCore(world, { name, port }));
    }
    const manifests = this.#found.flatMap(({ manifest }) => (manifest ? [manifest] : []));
    for (const manifest of manifests)
      this.#starters.set(manifest.name, (port) => this.#experiment(manifest, port));
    // One after the other: the first is the leader, and migrates.
    for (const name of coreNames) await (await this.#run(name)).untilReady();
    await Promise.all(manifests.map(({ name }) => this.#run(name)));
    await this.#register();
    this.#starters.set('gateway', (port) => startGateway(this.#worldOf('gateway'), { port }));
    await (await this.#run('gateway', this.#gatewayPort)).untilReady();
    await Promise.all([...this.#services.values()].map((service) => service.untilReady()));
    const client = this.client();
    await seedQueue(client);
    await seedExperiments(client, this.#allManifests());
  }

  async #run(name: string, port = 0): Promise<Service> {
    const start = this.#starters.get(name);
    if (!start) throw new Error(`nobody knows how to start ${name}`);
    const service = await start(port);
    this.#services.set(name, service);
    return service;
  }

  async #experiment(manifest: ExperimentManifest, port: number): Promise<Service> {
    const token = await this.identities.service(manifest.name);
    return startExperiment(this.#worldOf(manifest.name), { manifest, gatewayUrl: this.url, token, port });
  }

  #worldOf(service: string): ServiceWorld {
    return { ...this.#world, mongoUri: this.#uriOf(service) };
  }

  #register(): Promise<void> {
    const found = this.#found.map((one) => ({ ...one, url: this.service(one.name).url }));
    return registerFound(found, { mongoUri: this.#uriOf('gateway'), log: silentLogger() });
  }

  /** Jobs may belong to experiments whose service does not run. */
  #allManifests(): readonly ExperimentManifest[] {
    return discoverSubgraphs(root).flatMap(({ manifest }) => (manifest ? [manifest] : []));
  }
}
