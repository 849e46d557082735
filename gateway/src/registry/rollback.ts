/** Takes earlier schemas up again: of one subgraph, or of all. */
import { isDomainError } from '@rhizome/errors';
import { brokenPromises } from '@rhizome/schema';
import type { AskEndpoint } from './endpoint.js';
import { type GraphMember, graphOf, liveGraph } from './graph.js';
import { type OwnSubgraph, ownMember } from './own.js';
import type { ChangeCode, Published, PublishCall, Publisher } from './publisher.js';
import { noteFault, notRegistered, refuse, refusedBy, type SchemaRefusal } from './refusal.js';
import { assertMayChange } from './rights.js';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SchemaVersionDocument, SchemaVersionHead } from './store/schema-version.document.js';

/** What a rollback works on. */
export interface RollbackOptions {
  readonly repository: RegistryRepository;
  readonly own: OwnSubgraph;
  readonly askEndpoint: AskEndpoint;
  readonly publisher: Publisher;
}

/** What is to be taken up again. */
export interface RollbackWanted {
  /** Null for all. */
  readonly subgraph: string | null;
  /** Null for the last one in which it was another. */
  readonly version: number | null;
}

/** Codes of a rollback that is refused. */
export type RollbackCode =
  ChangeCode | 'INVALID_VALUE' | 'SUBGRAPH_NOT_FOUND' | 'VERSION_NOT_FOUND' | 'ENDPOINT_DIFFERS';

/** Nothing of core's is anybody's alone. */
const whole = { _id: '*', typePrefix: null };

/** See the head of this file. @throws DomainError FORBIDDEN */
export async function rollBack(
  { repository, own, askEndpoint, publisher }: RollbackOptions,
  { subgraph, version }: RollbackWanted,
  call: PublishCall,
): Promise<Published<RollbackCode>> {
  const registered = await repository.subgraphs();
  const mine = registered.find(({ _id }) => _id === subgraph);
  if (subgraph !== null && !mine) return refusedBy(notRegistered(subgraph));
  assertMayChange(call.principal, mine ?? whole, 'schema:publish');
  const fault = noteFault(call.note);
  if (fault) return refusedBy(fault);
  const from = await earlier(repository, subgraph, version);
  if (!from) return refusedBy(noVersion(subgraph, version));
  const then = await graphOf(repository, from);
  const endpoints = new Map(registered.map(({ _id, endpoint }) => [_id, endpoint]));
  const members = then.members
    .filter(({ name }) => name === subgraph || subgraph === null)
    // Schemas are taken up again, not the places where they were answered then; and the gateway speaks for itself.
    .map((one) =>
      one.name === own.name
        ? { ...one, ...ownMember(own) }
        : { ...one, endpoint: endpoints.get(one.name) ?? one.endpoint },
    );
  const live = await liveGraph(repository);
  const changed = members.filter(
    (member) => !live.members.some(({ name, digest }) => name === member.name && digest === member.digest),
  );
  for (const member of changed) {
    const refusal = await lacks(member, askEndpoint, call);
    if (refusal) return refusedBy(refusal);
  }
  return publisher.restore(members, { subgraph, restoredFrom: from.number }, call);
}

/** The version to go back to: the one asked for, or the last one with other schemas than now. */
async function earlier(
  repository: RegistryRepository,
  subgraph: string | null,
  number: number | null,
): Promise<SchemaVersionDocument | null> {
  const has = (version: SchemaVersionHead): boolean =>
    subgraph === null || version.subgraphs.some(({ name }) => name === subgraph);
  if (number !== null) {
    const found = await repository.version(number);
    return found && has(found) ? found : null;
  }
  const live = await repository.latest();
  for (let below = live?.number ?? 1; live && below > 1;) {
    const page = await repository.versions(below, 50);
    const found = page.find(
      (version) => has(version) && schemasOf(version, subgraph) !== schemasOf(live, subgraph),
    );
    if (found) return repository.version(found.number);
    below = page.at(-1)?.number ?? 1;
  }
  return null;
}

function schemasOf({ subgraphs }: SchemaVersionHead, subgraph: string | null): string {
  const those = subgraphs.filter(({ name }) => name === subgraph || subgraph === null);
  return those
    .map(({ name, digest }) => `${name} ${digest}`)
    .sort()
    .join('\n');
}

/** What is taken up again must be answered by what runs: the service may have more, and nothing otherwise. */
async function lacks(
  { name, endpoint, sdl }: Pick<GraphMember, 'name' | 'endpoint' | 'sdl'>,
  askEndpoint: AskEndpoint,
  { principal, requestId }: PublishCall,
): Promise<SchemaRefusal<'ENDPOINT_DIFFERS'> | undefined> {
  try {
    const served = await askEndpoint({ subgraph: name, endpoint, principal, requestId });
    const broken = await brokenPromises(sdl, served);
    if (broken.length === 0) return undefined;
    const places = broken.slice(0, 10).map(({ where }) => where);
    const text = `${endpoint} no longer answers what that version promises: ${places.join(', ')}. Start the service as it was then, and roll back again`;
    return refuse('ENDPOINT_DIFFERS', 'subgraph', text);
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return refuse('ENDPOINT_DIFFERS', 'subgraph', `${endpoint}: ${error.message}`);
  }
}

function noVersion(subgraph: string | null, version: number | null): SchemaRefusal<'VERSION_NOT_FOUND'> {
  const whose = subgraph === null ? '' : ` with "${subgraph}"`;
  const text =
    version === null
      ? `there is no earlier version${whose} that differs from the live one`
      : `there is no version ${version}${whose}`;
  return refuse('VERSION_NOT_FOUND', 'version', text);
}
