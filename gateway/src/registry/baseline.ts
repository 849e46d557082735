/**
 * Puts the subgraphs of a repository into the registry: the initial state of a playground, a test or an
 * installation.
 */
import { type Clock, systemClock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { type GraphSubgraph, sdlDigest } from '@rhizome/schema';
import { ownAddress } from './graph/own-address.js';
import { operationsMember } from './operations-member.js';
import { baselineSubject, bringIn } from './own-member.js';
import { openRegistryStore } from './store/open.repository.js';

/** The subgraphs to register, and the registry. */
export interface BaselineOptions {
  readonly mongoUri: string;
  /** Name of the gateway's own database; default `gateway`. */
  readonly database?: string;
  /** All subgraphs, including the gateway itself. */
  readonly subgraphs: readonly GraphSubgraph[];
  /** The supergraph that they compose to, if it is known. */
  readonly supergraphSdl?: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

/**
 * Registers the subgraphs and makes them live, in addition to those that are live already. Unchanged live
 * subgraphs stay. Resolves to the number of the live version.
 * @throws DomainError COMPOSITION_FAILED, SERVICE_UNAVAILABLE
 */
export async function putBaseline(options: BaselineOptions): Promise<number> {
  const { mongoUri, database = 'gateway', subgraphs, supergraphSdl, log, clock = systemClock } = options;
  const store = await openRegistryStore(mongoUri, database);
  try {
    const { repository } = store;
    await repository.ensure(log);
    const registered = new Map((await repository.subgraphs()).map((one) => [one._id, one]));
    for (const { name, url: endpoint, typePrefix } of subgraphs) {
      const known = registered.get(name);
      if (name === ownAddress.name || (known?.endpoint === endpoint && known.typePrefix === typePrefix))
        continue;
      await repository.upsertSubgraph(
        name,
        { typePrefix, endpoint, registeredBy: baselineSubject },
        clock.now(),
      );
    }
    const members = subgraphs.map(({ name, url, sdl, typePrefix, agentOperations }) => ({
      name,
      typePrefix,
      endpoint: url,
      digest: sdlDigest(sdl),
      sdl,
      ...operationsMember(agentOperations),
    }));
    return (await bringIn({ repository, clock, log }, members, supergraphSdl)).number;
  } finally {
    await store.close();
  }
}
