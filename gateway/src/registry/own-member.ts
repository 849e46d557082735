/** The fields that every gateway adds to the graph, and how they enter the registry. */
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { compareSchemas, compose, coreFirst, publicSdlOf, sdlDigest } from '@rhizome/schema';
import { type GraphMember, liveGraph, ruled } from './graph.js';
import { textsOf } from './operations-member.js';
import { versionOf } from './version.js';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SchemaVersionDocument } from './store/schema-version.document.js';

/** The gateway as a subgraph. */
export interface OwnSubgraph {
  readonly name: string;
  readonly endpoint: string;
  readonly sdl: string;
}

/** Publisher of schemas that need no permission. */
export const baselineSubject = 'baseline';

/** The gateway as a member of a graph. */
export function ownMember({ name, endpoint, sdl }: OwnSubgraph): Omit<GraphMember, 'sinceVersion'> {
  return { name, typePrefix: null, endpoint, digest: sdlDigest(sdl), sdl };
}

/** The subgraphs that are put into the registry as a whole. */
export interface BaselineOptions {
  readonly repository: RegistryRepository;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The live version with this gateway's own schema in it. A gateway of another version brings its own. */
export async function bringOwn(
  parts: BaselineOptions & { readonly own: OwnSubgraph },
): Promise<SchemaVersionDocument> {
  return bringIn(parts, [ownMember(parts.own)]);
}

const maxAttempts = 20;

/**
 * Puts subgraphs into the registry as a whole, in addition to those that are live already; makes no new
 * version if nothing changes.
 * @param composed the supergraph of exactly these subgraphs, if it is known; saves composing them
 * @throws DomainError COMPOSITION_FAILED if they do not compose with each other; other subgraphs that no
 *   longer fit are left out
 */
export async function bringIn(
  { repository, clock, log }: BaselineOptions,
  members: readonly Omit<GraphMember, 'sinceVersion'>[],
  composed?: string,
): Promise<SchemaVersionDocument> {
  for (let turn = 0; turn < maxAttempts; turn++) {
    const graph = await liveGraph(repository);
    const isThere = members.every((member) =>
      graph.members.some(
        ({ name, digest, endpoint, operationsDigest }) =>
          name === member.name &&
          digest === member.digest &&
          endpoint === member.endpoint &&
          operationsDigest === member.operationsDigest,
      ),
    );
    if (graph.version && isThere) return graph.version;
    const names = new Set(members.map(({ name }) => name));
    const others = graph.members.filter(({ name }) => !names.has(name));
    const { kept, supergraphSdl } = fit(members, others, composed, log);
    const changes =
      graph.supergraphSdl === null
        ? []
        : await compareSchemas(publicSdlOf(graph.supergraphSdl), publicSdlOf(supergraphSdl));
    const now = clock.now();
    for (const [digest, text] of members.flatMap(textsOf)) await repository.saveSdl(digest, text, now);
    const version = versionOf({
      graph,
      members: [...members, ...kept],
      replaceAll: true,
      kind: 'BASELINE',
      subgraph: null,
      restoredFrom: null,
      changes,
      supergraphSdl,
      publishedBy: baselineSubject,
      acceptedBreaking: true,
      note: null,
      now,
    });
    if (await repository.insertVersion(version)) return version;
  }
  throw new DomainError(
    'SERVICE_UNAVAILABLE',
    'Too many concurrent changes of the schema registry; try again',
  );
}

/** Composes with the other subgraphs; if that fails, without the incompatible ones. */
function fit(
  members: readonly Omit<GraphMember, 'sinceVersion'>[],
  others: readonly GraphMember[],
  composed: string | undefined,
  log: Logger,
): { readonly kept: readonly GraphMember[]; readonly supergraphSdl: string } {
  if (others.length === 0 && composed !== undefined) return { kept: [], supergraphSdl: composed };
  const base = members.map((member) => ruled({ ...member, sinceVersion: 1 }));
  const whole = compose([...base, ...others.map(ruled)].sort(coreFirst));
  if (whole.ok) return { kept: others, supergraphSdl: whole.supergraphSdl };
  const alone = compose([...base].sort(coreFirst));
  if (!alone.ok) {
    const faults = alone.faults.map(({ code, message }) => `${code}: ${message}`);
    throw new DomainError('COMPOSITION_FAILED', `The subgraphs do not compose: ${faults.join('; ')}`, {
      faults,
    });
  }
  const kept: GraphMember[] = [];
  let supergraphSdl = alone.supergraphSdl;
  for (const other of others) {
    const more = compose([...base, ...kept.map(ruled), ruled(other)].sort(coreFirst));
    if (more.ok) {
      kept.push(other);
      supergraphSdl = more.supergraphSdl;
    } else
      log.warn({ subgraph: other.name, faults: more.faults.slice(0, 5) }, 'subgraph left out: incompatible');
  }
  return { kept, supergraphSdl };
}
