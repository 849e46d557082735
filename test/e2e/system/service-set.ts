/** The services of one deployment, each a process of its own that can end and start again. */
import { silentLogger } from '@rhizome/log';
import { freePort } from '@rhizome/mongo';
import {
  type Identities,
  registerFound,
  type Service,
  type ServiceWorld,
  startCore,
  startExperiment,
  startGateway,
  type StoreAddresses,
} from '@rhizome/playground';
import type { ExperimentManifest, FoundSubgraph } from '@rhizome/schema';

/** Options of {@link startServiceSet}. */
export interface ServiceSetOptions {
  /** Folder for logs and files that services read. */
  readonly data: string;
  readonly identities: Identities;
  /** Subgraphs to run: core and experiments. */
  readonly found: readonly FoundSubgraph[];
  /** Connection string of the store, by service. */
  readonly uriOf: StoreAddresses;
  /** Connection string for a core process, if it differs from that of the service. */
  readonly coreUri?: ((core: string) => string | Promise<string>) | undefined;
  /** Number of core processes `core`, `core-2`, …; default 1. The first leads at the beginning. */
  readonly cores?: number;
  /** Number of gateways `gateway`, `gateway-2`, …; default 1. */
  readonly gateways?: number;
  /** Address by which gateways call core, from those of all core processes; default: that of the first. */
  readonly coreAddress?: ((urls: readonly string[]) => string | Promise<string>) | undefined;
  /** True if the gateways have an identity store; default true. */
  readonly hasIdentities?: boolean | undefined;
  /** Settings of the core processes, by variable. */
  readonly coreEnv?: Readonly<Record<string, string>> | undefined;
  /** Settings of the gateways, by variable. */
  readonly gatewayEnv?: Readonly<Record<string, string>> | undefined;
}

/** Running services. */
export interface ServiceSet {
  /** HTTP address of the first gateway. */
  readonly url: string;
  /** WebSocket address of the first gateway. */
  readonly wsUrl: string;
  /** A service by name: `core`, `core-2`, `gateway`, or an experiment's. */
  service(name: string): Service;
  /** Starts a service that has ended again, at the same address; resolves when it is ready. */
  startAgain(name: string): Promise<void>;
  killAll(): Promise<void>;
}

/** Starts the services; resolves when all are ready. */
export async function startServiceSet(options: ServiceSetOptions): Promise<ServiceSet> {
  const set = new Services(options, await freePort());
  try {
    await set.start();
  } catch (error) {
    await set.killAll();
    throw error;
  }
  return set;
}

const named = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name}-${index + 1}`));

class Services implements ServiceSet {
  readonly #options: ServiceSetOptions;
  readonly #gatewayPort: number;
  readonly #services = new Map<string, Service>();
  readonly #starters = new Map<string, (port: number) => Promise<Service>>();
  readonly url: string;
  readonly wsUrl: string;

  constructor(options: ServiceSetOptions, gatewayPort: number) {
    this.#options = options;
    this.#gatewayPort = gatewayPort;
    this.url = `http://127.0.0.1:${gatewayPort}/graphql`;
    this.wsUrl = this.url.replace('http', 'ws');
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

  async killAll(): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.kill()));
  }

  async start(): Promise<void> {
    const { found, cores = 1, gateways = 1, coreUri, coreEnv = {} } = this.#options;
    const coreNames = named('core', cores);
    for (const name of coreNames) {
      const world = { ...this.#worldOf('core', await coreUri?.(name)), env: coreEnv };
      this.#starters.set(name, (port) => startCore(world, { name, port }));
    }
    const manifests = found.flatMap(({ manifest }) => (manifest ? [manifest] : []));
    for (const manifest of manifests)
      this.#starters.set(manifest.name, (port) => this.#experiment(manifest, port));
    // One after the other: the first is the leader, and migrates.
    for (const name of coreNames) await (await this.#run(name)).untilReady();
    await Promise.all(manifests.map(({ name }) => this.#run(name)));
    await this.#register();
    for (const [index, name] of named('gateway', gateways).entries()) {
      this.#starters.set(name, (port) => startGateway(this.#gatewayWorld(), { name, port }));
      await this.#run(name, index === 0 ? this.#gatewayPort : undefined);
    }
    await Promise.all([...this.#services.values()].map((service) => service.untilReady()));
  }

  async #run(name: string, wanted?: number): Promise<Service> {
    const start = this.#starters.get(name);
    if (!start) throw new Error(`there is no service ${name}`);
    // Not 0: an outgoing connection could take that port while the service is down.
    const service = await start(wanted ?? (await freePort()));
    this.#services.set(name, service);
    return service;
  }

  async #experiment(manifest: ExperimentManifest, port: number): Promise<Service> {
    const token = await this.#options.identities.service(manifest.name);
    return startExperiment(this.#worldOf(manifest.name), { manifest, gatewayUrl: this.url, token, port });
  }

  #worldOf(service: string, mongoUri = this.#options.uriOf(service)): ServiceWorld {
    const { data, identities, hasIdentities = true } = this.#options;
    return { data, issuer: identities.issuer, mongoUri, gatewayUrl: hasIdentities ? this.url : undefined };
  }

  #gatewayWorld(): ServiceWorld {
    return { ...this.#worldOf('gateway'), env: this.#options.gatewayEnv ?? {} };
  }

  async #register(): Promise<void> {
    const { found, uriOf, cores = 1, coreAddress = ([first = '']) => first } = this.#options;
    const coreUrls = named('core', cores).map((name) => this.service(name).url);
    const coreUrl = await coreAddress(coreUrls);
    const addressed = found.map((one) => ({
      ...one,
      url: one.manifest ? this.service(one.name).url : coreUrl,
    }));
    return registerFound(addressed, { mongoUri: uriOf('gateway'), log: silentLogger() });
  }
}
