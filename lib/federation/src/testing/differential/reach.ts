import { silentLogger } from '@rhizome/log';
import {
  createInProcess,
  type ExecutionMode,
  type InProcessSubgraph,
  LoaderCache,
  settleResolvers,
} from '@rhizome/subgraph';
import { createInProcessTransport } from '../../transport/in-process.js';
import type { TransportFactory } from '../../transport/transport.js';
import type { TestSubgraph } from '../test-subgraph.js';

/** Way in which the engine reaches the subgraphs of an arena. */
export type Reach = (
  subgraphs: readonly TestSubgraph[],
) => Promise<{ readonly transports: TransportFactory; close(): Promise<void> }>;

/** In process, on graphql-js alone; every document is validated. */
export const plain: Reach = async (subgraphs) => inProcess(subgraphs);

/** In process, as production runs subgraphs: compiled to code, or interpreted. */
export function asServed(mode: ExecutionMode): Reach {
  return async (subgraphs) =>
    inProcess(
      subgraphs.map((subgraph) => {
        settleResolvers(subgraph.schema);
        const made = createInProcess({
          mode,
          // Each operation runs once, and it is the compiled ones that are compared.
          interpretFirst: 0,
          log: silentLogger(),
          subgraph: {
            name: subgraph.name,
            sdl: subgraph.sdl,
            schema: subgraph.schema,
            entryPoints: [],
            createContext: (init) => ({ ...init, loaders: new LoaderCache() }),
          },
        });
        if (made.mode !== mode) throw new Error(`${subgraph.name} cannot run as ${mode}`);
        return made;
      }),
    );
}

function inProcess(subgraphs: readonly InProcessSubgraph[]): Awaited<ReturnType<Reach>> {
  return {
    transports: (name) => {
      const subgraph = subgraphs.find((one) => one.name === name);
      if (!subgraph) throw new Error(`no subgraph ${name}`);
      return createInProcessTransport(subgraph);
    },
    close: async () => {},
  };
}
