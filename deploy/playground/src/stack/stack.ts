/** What runs between the store and the clients: core, the experiments and the gateway, together or each on its own. */
import type { Logger } from '@rhizome/log';
import { committedSupergraph, type FoundSubgraph, gatewaySubgraph } from '@rhizome/schema/repository';
import { root } from '../root.js';
import type { Identities } from './identities.js';

/** What a stack is started from. */
export interface StackOptions {
  /** The connection string of the store, once it can be used: what needs no store is done meanwhile. */
  readonly mongoUri: Promise<string>;
  readonly identities: Identities;
  /** Subgraphs found in the repository. */
  readonly subgraphs: readonly FoundSubgraph[];
  readonly port: number;
  readonly data: string;
  readonly log: Logger;
  /** Told when a part of the running stack has ended although nobody asked it to. */
  readonly onFailure: (error: Error) => void;
}

/** A stack that serves. */
export interface RunningStack {
  readonly url: string;
  readonly wsUrl: string;
  readonly origin: string;
  /** Processes of its own, by the service that each runs; empty where all run in this one. */
  readonly pids: Readonly<Record<string, number>>;
  /**
   * Restarts a service of its own process at the same address; absent where all run in this process.
   * @throws if there is no such service, or if it does not become ready
   */
  restart?(name: string): Promise<void>;
  /** Stops everything in order: the gateway first, core last. */
  stop(): Promise<void>;
}

/**
 * Puts what was found into the gateway's schema registry, with the addresses given; what has been published there beside it stays live.
 * Throws with every fault when the subgraphs do not compose.
 */
export async function registerFound(
  found: readonly FoundSubgraph[],
  { mongoUri, log }: { readonly mongoUri: string; readonly log: Logger },
): Promise<void> {
  const { putBaseline } = await import('@rhizome/gateway');
  const subgraphs = [...found, gatewaySubgraph(root)].map(({ name, url, sdl, manifest }) => ({
    name,
    url,
    sdl,
    typePrefix: manifest?.typePrefix ?? null,
  }));
  await putBaseline({ mongoUri, subgraphs, supergraphSdl: await supergraphOf(found), log });
}

/**
 * The supergraph of what was found and the gateway itself: the committed one where it is made of exactly this, else composed anew.
 * Throws with every fault when the subgraphs do not compose.
 */
export async function supergraphOf(found: readonly FoundSubgraph[]): Promise<string> {
  const subgraphs = [...found, gatewaySubgraph(root)];
  const committed = committedSupergraph(root, subgraphs);
  if (committed !== null) return committed;
  const { compose } = await import('@rhizome/schema');
  const result = compose(subgraphs);
  if (result.ok) return result.supergraphSdl;
  throw new Error(
    `the subgraphs do not compose:\n  ${result.faults.map(({ code, message }) => `${code}: ${message}`).join('\n  ')}`,
  );
}
