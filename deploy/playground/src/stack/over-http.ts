/** Core, each experiment and the gateway as processes of their own, which speak HTTP and WebSocket with each other, as on a cluster. */
import { executionMode } from '../config.js';
import { freePort } from '../port.js';
import { type Child, describeEnd, lastLines } from '../processes/child-process.js';
import { type ServiceWorld, startCore, startExperiment, startGateway } from '../services/house-services.js';
import type { Service } from '../services/service.js';
import { registerFound, type RunningStack, type StackOptions } from './stack.js';

/** How long each group of services may take to end, in milliseconds: gateway, experiments, core, one after the other. */
const graceMs = 800;

/**
 * Starts the stack; resolves when the gateway and all services are ready. Throws, and leaves nothing running, when one of
 * them cannot be started.
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
  const world: ServiceWorld = {
    data,
    mongoUri: await options.mongoUri,
    issuer: identities.issuer,
    execution: executionMode(),
  };
  const port = options.port === 0 ? await freePort() : options.port;
  const gatewayUrl = `http://127.0.0.1:${port}/graphql`;
  const services = await allStarted(
    subgraphs.map(async ({ name, manifest }) => {
      if (!manifest) return started.add('core', await startCore(world, { name }));
      const token = await identities.service(name);
      return started.add('experiment', await startExperiment(world, { manifest, gatewayUrl, token }));
    }),
  );
  const urls = new Map(services.map(({ name, url }) => [name, url]));
  await Promise.all(started.group('core').map((core) => core.untilReady()));
  await registerFound(
    subgraphs.map((one) => ({ ...one, url: urls.get(one.name) ?? one.url })),
    { mongoUri: world.mongoUri, log: options.log },
  );
  const gateway = started.add('gateway', await startGateway(world, { port }));
  await Promise.all([gateway, ...services].map((service) => service.untilReady()));
  started.watch();
  return {
    url: gateway.url,
    wsUrl: gateway.wsUrl,
    origin: new URL(gateway.url).origin,
    pids: Object.fromEntries([gateway, ...services].map(({ name, pid }) => [name, pid])),
    stop: () => started.stop(),
  };
}

/** Waits for all, also when one fails: what has started must be known to be ended. */
async function allStarted(starting: readonly Promise<Service>[]): Promise<readonly Service[]> {
  const settled = await Promise.allSettled(starting);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

type Group = 'core' | 'experiment' | 'gateway';

/** What runs, to be ended in order, and watched while it shall run. */
class StartedServices {
  readonly #services: { readonly group: Group; readonly service: Service }[] = [];
  readonly #onFailure: (error: Error) => void;

  constructor(onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
  }

  add(group: Group, service: Service): Service {
    this.#services.push({ group, service });
    return service;
  }

  group(name: Group): readonly Service[] {
    return this.#services.filter(({ group }) => group === name).map(({ service }) => service);
  }

  /** From now on the end of a service that nobody asked to end is a failure of the whole. */
  watch(): void {
    for (const { service } of this.#services) {
      void service.exited.then(() => {
        if (!service.isAsked) this.#onFailure(new Error(endOf(service)));
      });
    }
  }

  /** The gateway first, so that clients are told; core last. */
  async stop(): Promise<void> {
    for (const group of ['gateway', 'experiment', 'core'] as const)
      await Promise.all(this.group(group).map((service) => service.stop(graceMs)));
  }
}

function endOf(service: Child): string {
  return `${service.name} (process ${service.pid}) ${describeEnd(service.end ?? { code: null, signal: null })}; its log is ${service.logFile}:\n${lastLines(service)}`;
}
