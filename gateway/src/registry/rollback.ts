/** Makes earlier schemas live again: of one subgraph, or of all. */
import { isDomainError } from '@rhizome/errors';
import { brokenPromises } from '@rhizome/schema';
import type { ReadEndpointSchema } from './endpoint.js';
import { type GraphMember, graphOf, liveGraph } from './graph.js';
import { type OwnSubgraph, ownMember } from './own-member.js';
import type { ChangeCode, Published, PublishCall, Publisher } from './publisher.js';
import { noteFault, notRegistered, refuse, refusedBy, type SchemaRefusal } from './refusal.js';
import { assertMayChange } from './rights.js';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SchemaVersionDocument, SchemaVersionHead } from './store/schema-version.document.js';

/** Ports of a rollback. */
export interface RollbackOptions {
  readonly repository: RegistryRepository;
  readonly own: OwnSubgraph;
  readonly readEndpointSchema: ReadEndpointSchema;
  readonly publisher: Publisher;
}

/** The schemas to restore. */
export interface RollbackRequest {
  /** Null for all subgraphs. */
  readonly subgraph: string | null;
  /** Null for the last version with a different schema. */
  readonly version: number | null;
}

/** Codes of a refused rollback. */
export type RollbackCode =
  ChangeCode | 'INVALID_VALUE' | 'SUBGRAPH_NOT_FOUND' | 'VERSION_NOT_FOUND' | 'ENDPOINT_DIFFERS';

/** A rollback of everything changes core, which belongs to no experiment. */
const whole = { _id: '*', typePrefix: null };

/** Plans and publishes a rollback. @throws DomainError FORBIDDEN */
export async function rollBack(
  { repository, own, readEndpointSchema, publisher }: RollbackOptions,
  { subgraph, version }: RollbackRequest,
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
    // Schemas are restored, not endpoints; and the gateway keeps its own current schema.
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
    const refusal = await lacks(member, readEndpointSchema, call.requestId);
    if (refusal) return refusedBy(refusal);
  }
  return publisher.restore(members, { subgraph, restoredFrom: from.number }, call);
}

/** The version to restore: the requested one, or the last one with schemas other than the current. */
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
    .map(({ name, digest, operationsDigest = '' }) => `${name} ${digest} ${operationsDigest}`)
    .sort()
    .join('\n');
}

/** The running services must still provide the restored schemas; they may provide more. */
async function lacks(
  { name, endpoint, sdl }: Pick<GraphMember, 'name' | 'endpoint' | 'sdl'>,
  readEndpointSchema: ReadEndpointSchema,
  requestId: string,
): Promise<SchemaRefusal<'ENDPOINT_DIFFERS'> | undefined> {
  try {
    const served = await readEndpointSchema({ subgraph: name, endpoint, requestId });
    const broken = await brokenPromises(sdl, served);
    if (broken.length === 0) return undefined;
    const elements = broken.slice(0, 10).map(({ where }) => where);
    const text = `${endpoint} no longer provides ${elements.join(', ')} of that version. Start the service as it was then, and roll back again`;
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
      ? `no earlier version${whose} differs from the live one`
      : `Version ${version}${whose} not found.`;
  return refuse('VERSION_NOT_FOUND', 'version', text);
}
