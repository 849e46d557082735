/** Core, the experiments and the gateway in this process: no hop, no serialisation. */
import { buildCore } from '@rhizome/core';
import { buildGateway, builtPages, createInProcessTransport, serveGateway } from '@rhizome/gateway';
import { connectMongo, createIds, systemClock } from '@rhizome/mongo';
import { type InProcessSubgraph, type SubgraphSchema, createInProcess } from '@rhizome/subgraph';
import { type ExperimentService, loadExperiment } from './experiment-module.js';
import { lazyClient } from './lazy-client.js';
import { type RunningStack, type StackOptions, supergraphOf } from './stack.js';

/** Starts the stack; resolves when the gateway serves and the experiments follow core's events. */
export async function startInProcess(options: StackOptions): Promise<RunningStack> {
  const { mongoUri, identities, subgraphs, port, log } = options;
  const mongo = await connectMongo({ uri: mongoUri, appName: 'rhizome-playground' });
  const ids = createIds();
  const core = await buildCore({
    db: mongo.db('core'),
    clock: systemClock,
    ids,
    log: log.child({ service: 'core' }),
  });
  await core.start();
  let url = '';
  const parts = [{ name: 'core', schema: core.subgraph }];
  const experiments: { service: ExperimentService; close(): Promise<void> }[] = [];
  for (const { name, manifest } of subgraphs) {
    if (!manifest) continue;
    const client = lazyClient(() => ({ url, token: () => identities.service(name) }));
    const module = await loadExperiment(manifest);
    const db = mongo.db(manifest.database);
    const service = await module.build({
      db,
      clock: systemClock,
      ids,
      log: log.child({ service: name }),
      core: client,
    });
    parts.push({ name, schema: service.subgraph });
    experiments.push({ service, close: () => client.close() });
  }
  const reached = reach(parts, options);
  const gateway = await buildGateway({
    supergraphSdl: supergraphOf(subgraphs),
    transports: (name) => createInProcessTransport(reached(name)),
    verifier: identities.verifier,
    log: log.child({ service: 'gateway' }),
    staticRoot: builtPages,
  });
  const served = await serveGateway(gateway, { port });
  url = served.url;
  await Promise.all(experiments.map(({ service }) => service.start()));
  const stop = async () => {
    await Promise.all(experiments.map(({ service }) => service.stop()));
    await served.close(1_000);
    await Promise.all(experiments.map(({ close }) => close()));
    await core.stop();
    await mongo.close();
  };
  return { url: served.url, wsUrl: served.wsUrl, origin: served.origin, stop };
}

function reach(
  parts: readonly { name: string; schema: SubgraphSchema }[],
  { log }: StackOptions,
): (name: string) => InProcessSubgraph {
  const callable = new Map(
    parts.map(({ name, schema }) => [
      name,
      createInProcess({ subgraph: schema, log: log.child({ service: name }) }),
    ]),
  );
  return (name) => {
    const subgraph = callable.get(name);
    if (!subgraph) throw new Error(`the supergraph names the subgraph ${name}, which does not run here`);
    return subgraph;
  };
}
