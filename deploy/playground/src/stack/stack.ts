/** The services between the store and the clients, in one process or in several. */
import { join } from 'node:path';
import type { Logger } from '@rhizome/log';
import { committedSupergraph, type FoundSubgraph, gatewaySubgraph } from '@rhizome/schema/repository';
import { root } from '../root.js';
import type { Identities } from './identities.js';

/** Connection string of a service by its name: each has a user of its own, with rights on its databases. */
export type StoreAddresses = (service: string) => string;

/** The databases of each service, by its name. */
export function databasesOf(subgraphs: readonly FoundSubgraph[]): Record<string, readonly string[]> {
  const own = subgraphs.map(({ name, manifest }) => [name, [manifest?.database ?? name]] as const);
  return { ...Object.fromEntries(own), gateway: ['gateway', 'identity'] };
}

/** Folder of the signed heads of the audit log, in the data folder. */
export function auditFolder(data: string): string {
  return join(data, 'audit');
}

/** File with the key that encrypts what the identity store holds, in the data folder. */
export function identityKeyFile(data: string): string {
  return join(data, 'identity.key');
}

/** @throws for a service that has no address */
export function storeAddresses(uris: Readonly<Record<string, string>>): StoreAddresses {
  return (service) => {
    const uri = uris[service];
    if (uri === undefined) throw new Error(`Service "${service}" has no user of the store.`);
    return uri;
  };
}

/** Options of a stack. */
export interface StackOptions {
  /** Addresses of the store, once it is available; other work is done meanwhile. */
  readonly store: Promise<StoreAddresses>;
  readonly identities: Identities;
  /** Subgraphs found in the repository. */
  readonly subgraphs: readonly FoundSubgraph[];
  /** Port of the gateway, whose address is known before it listens. */
  readonly port: number;
  /** Origins from which the dashboard may read files. */
  readonly fileOrigins: readonly string[];
  readonly data: string;
  readonly log: Logger;
  /** Called when a part of the running stack ended unexpectedly. */
  readonly onFailure: (error: Error) => void;
}

/** A running stack. */
export interface RunningStack {
  readonly url: string;
  readonly wsUrl: string;
  readonly origin: string;
  /** Process ids by service; empty if all services run in this process. */
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
 * Puts the found subgraphs with their addresses into the gateway's schema registry. Other published subgraphs
 * stay live.
 * @throws with all errors if the subgraphs do not compose
 */
export async function registerFound(
  found: readonly FoundSubgraph[],
  { mongoUri, log }: { readonly mongoUri: string; readonly log: Logger },
): Promise<void> {
  const { putBaseline } = await import('@rhizome/gateway');
  const subgraphs = [...found, gatewaySubgraph(root)].map(
    ({ name, url, sdl, agentOperations, manifest }) => ({
      name,
      url,
      sdl,
      agentOperations,
      typePrefix: manifest?.typePrefix ?? null,
    }),
  );
  await putBaseline({ mongoUri, subgraphs, supergraphSdl: await supergraphOf(found), log });
}

/**
 * Supergraph of the found subgraphs and the gateway's own: the committed file if it was composed from exactly
 * these, otherwise newly composed.
 * @throws with all errors if the subgraphs do not compose
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
