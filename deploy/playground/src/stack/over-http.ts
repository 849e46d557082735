/**
 * Core, each experiment and the gateway as processes of their own that speak HTTP and WebSocket, as on a
 * cluster.
 */
import { executionMode } from '../config.js';
import { endOf } from '../processes/child-process.js';
import { type ServiceWorld, startCore, startExperiment, startGateway } from '../services/start-services.js';
import type { Service } from '../services/service.js';
import { registerFound, type RunningStack, type StackOptions } from './stack.js';

/**
 * Time that each group of services gets to shut down, in milliseconds: gateway, experiments, core, in this
 * order.
 */
const graceMs = 800;

/**
 * Starts the stack; resolves when the gateway and all services are ready.
 * @throws if one of them cannot be started; then nothing is left running
 */
export async function startOverHttp(options: StackOptions): Promise<RunningStack> {
  const started = new StartedServices(options.onFailure);
  try {
    return await start(options, started);
  } catch (error) {
    await started.stop();
    throw error;
  }
}

async function start(options: StackOptions, started: StartedServices): Promise<RunningStack> {
  const { subgraphs, identities, data } = options;
  const uriOf = await options.store;
  const { port } = options;
  const gatewayUrl = `http://127.0.0.1:${port}/graphql`;
  const shared = {
    data,
    issuer: identities.issuer,
    execution: executionMode(),
    gatewayUrl,
  };
  const worldOf = (service: string): ServiceWorld => ({ ...shared, mongoUri: uriOf(service) });
  const services = await allStarted(
    subgraphs.map(async ({ name, manifest }) => {
      if (!manifest)
        return started.add('core', 0, (corePort) => startCore(worldOf(name), { name, port: corePort }));
      const token = await identities.service(name);
      const experiment = { manifest, gatewayUrl, token };
      return started.add('experiment', 0, (ownPort) =>
        startExperiment(worldOf(name), { ...experiment, port: ownPort }),
      );
    }),
  );
  const urls = new Map(services.map(({ name, url }) => [name, url]));
  await Promise.all(started.group('core').map((core) => core.untilReady()));
  await registerFound(
    subgraphs.map((one) => ({ ...one, url: urls.get(one.name) ?? one.url })),
    { mongoUri: uriOf('gateway'), log: options.log },
  );
  const gateway = await started.add('gateway', port, (ownPort) =>
    startGateway(
      {
        ...worldOf('gateway'),
        env: { RHIZOME_GATEWAY_FILE_ORIGINS: JSON.stringify(options.fileOrigins) },
      },
      { port: ownPort },
    ),
  );
  await Promise.all([gateway, ...services].map((service) => service.untilReady()));
  started.watch();
  return {
    url: gateway.url,
    wsUrl: gateway.wsUrl,
    origin: new URL(gateway.url).origin,
    pids: Object.fromEntries([gateway, ...services].map(({ name, pid }) => [name, pid])),
    restart: (name) => started.restart(name),
    stop: () => started.stop(),
  };
}

/** Waits for all services even if one fails, so that those that started can be stopped. */
async function allStarted(starting: readonly Promise<Service>[]): Promise<readonly Service[]> {
  const settled = await Promise.allSettled(starting);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

type Group = 'core' | 'experiment' | 'gateway';

/** Starts a service that listens on the port; 0 takes a free one. */
type Starter = (port: number) => Promise<Service>;

interface StartedService {
  readonly group: Group;
  readonly start: Starter;
  service: Service;
}

/** Running services: watched, restarted by name, and stopped in order. */
class StartedServices {
  readonly #entries: StartedService[] = [];
  readonly #onFailure: (error: Error) => void;

  constructor(onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
  }

  async add(group: Group, port: number, start: Starter): Promise<Service> {
    const service = await start(port);
    this.#entries.push({ group, start, service });
    return service;
  }

  group(name: Group): readonly Service[] {
    return this.#entries.filter(({ group }) => group === name).map(({ service }) => service);
  }

  /** From now on, a service that ends unexpectedly is a failure of the stack. */
  watch(): void {
    for (const { service } of this.#entries) this.#watch(service);
  }

  /**
   * Stops a service and starts it again at the same address, with the program as it is built now.
   * @throws if there is no service of that name, or if it does not become ready
   */
  async restart(name: string): Promise<void> {
    const entry = this.#entries.find(({ service }) => service.name === name);
    if (!entry) throw new Error(`Service "${name}" not found.`);
    const port = Number(new URL(entry.service.url).port);
    await entry.service.stop(graceMs);
    entry.service = await entry.start(port);
    await entry.service.untilReady();
    this.#watch(entry.service);
  }

  #watch(service: Service): void {
    void service.exited.then(() => {
      if (!service.isAsked) this.#onFailure(new Error(endOf(service)));
    });
  }

  /** Stops the gateway first, so that clients get their cursors, and core last. */
  async stop(): Promise<void> {
    for (const group of ['gateway', 'experiment', 'core'] as const)
      await Promise.all(this.group(group).map((service) => service.stop(graceMs)));
  }
}
