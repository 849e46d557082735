/** The live graph: a version with the SDLs of its subgraphs. */
import { DomainError } from '@rhizome/errors';
import type { GraphSubgraph } from '@rhizome/schema';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SchemaVersionDocument, VersionSubgraph } from './store/schema-version.document.js';

/** A subgraph of a version, with its SDL. */
export interface GraphMember extends VersionSubgraph {
  readonly sdl: string;
  /** The operations that it offers to agents; undefined if there are none. */
  readonly agentOperations?: string | undefined;
}

/** A version with everything that a check needs. */
export interface Graph {
  /** 0 if nothing is live. */
  readonly number: number;
  readonly members: readonly GraphMember[];
  readonly supergraphSdl: string | null;
  readonly version: SchemaVersionDocument | null;
}

/** The live graph. */
export async function liveGraph(repository: RegistryRepository): Promise<Graph> {
  return graphOf(repository, await repository.latest());
}

/**
 * The graph of a version. @throws DomainError INTERNAL_SERVER_ERROR if one of its SDLs is not in the store
 */
export async function graphOf(
  repository: RegistryRepository,
  version: SchemaVersionDocument | null,
): Promise<Graph> {
  if (!version) return { number: 0, members: [], supergraphSdl: null, version };
  const digests = version.subgraphs.flatMap(({ digest, operationsDigest = [] }) => [
    digest,
    operationsDigest,
  ]);
  const sdls = await repository.sdls(digests.flat());
  const members = version.subgraphs.map((one) => {
    const sdl = sdls.get(one.digest);
    if (sdl === undefined) {
      const text = `Schema of "${one.name}" in version ${version.number} not found.`;
      throw new DomainError('INTERNAL_SERVER_ERROR', text);
    }
    const { operationsDigest } = one;
    return { ...one, sdl, ...(operationsDigest && { agentOperations: sdls.get(operationsDigest) }) };
  });
  return { number: version.number, members, supergraphSdl: version.supergraphSdl, version };
}

/** A member as checks and composition see it. */
export function ruled({ name, sdl, endpoint, typePrefix, agentOperations }: GraphMember): GraphSubgraph {
  return { name, sdl, url: endpoint, typePrefix, agentOperations };
}
