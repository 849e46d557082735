/** Resolvers of the schema registry and of the state of subgraphs: unpack, call, map. */
import { can, type Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection, defineLoader, type SubgraphContext } from '@rhizome/subgraph';
import type { CheckSchemaInput, Resolvers } from '../../types.generated.js';
import type { Registry, SchemaRequest } from '../registry.js';
import type { CoordinateUse } from '../use/use-reader.js';
import { schemaRule } from './schema-rule.js';
import { SubgraphList, type SubgraphListOptions } from './subgraph-list.js';

/** Options of {@link graphResolvers}. */
export interface GraphOptions extends SubgraphListOptions {
  /** Undefined in a gateway that serves a file. */
  readonly registry: () => Registry | undefined;
}

type RootResolvers = Pick<
  Resolvers,
  | 'Query'
  | 'Mutation'
  | 'Subgraph'
  | 'SchemaVersion'
  | 'SchemaVersionConnection'
  | 'SchemaVersionSubgraph'
  | 'SchemaChange'
  | 'SchemaCheck'
  | 'SchemaFinding'
  | 'SchemaCheckConnection'
>;

/** Resolvers on the components of a gateway. */
export function graphResolvers(parts: GraphOptions): RootResolvers {
  const list = new SubgraphList(parts);
  const registry = (): Registry => open(parts);
  const uses = defineLoader<readonly string[], CoordinateUse>({
    name: 'schema use',
    load: async (coordinates) => registry().useOf(coordinates),
  });
  return {
    Query: queries(registry, list),
    Mutation: mutations(registry, list),
    Subgraph: {
      id: ({ name }) => `subgraph_${name}`,
      endpoint: ({ endpoint }, _args, { principal }) => (can(principal, 'subgraph:read') ? endpoint : null),
      // Addresses in use are those of one graph; the plans of an experiment are its own.
      pendingEndpoint: ({ name, pendingEndpoint }, _args, { principal }) =>
        can(principal, 'subgraph:read', name) ? pendingEndpoint : null,
      state: ({ facts }) => facts.state,
      stateSince: ({ facts }) => facts.stateSince,
      lastError: ({ facts }) => facts.lastError,
      lastErrorAt: ({ facts }) => facts.lastErrorAt,
      runningCalls: ({ facts }) => facts.runningCalls,
      callLimit: ({ facts }) => facts.callLimit,
      calls: ({ facts }) => facts.calls,
      failedCalls: ({ facts }) => facts.failedCalls,
      refusedCalls: ({ facts }) => facts.refusedCalls,
      schemaVersion: ({ member }) => member?.sinceVersion ?? null,
      publishedAt: async ({ member }) => (await list.publication(member))?.createdAt ?? null,
      publishedBy: async ({ member }) => {
        const publication = await list.publication(member);
        return publication ? { subject: publication.publishedBy } : null;
      },
      sdl: async ({ member }, _args, { principal }) => {
        if (!member || !can(principal, 'subgraph:read')) return null;
        return (await registry().sdls([member.digest])).get(member.digest) ?? null;
      },
    },
    SchemaVersion: {
      subgraph: ({ subgraph }) => (subgraph === null ? null : (list.one(subgraph) ?? null)),
      subgraphName: ({ subgraph }) => subgraph,
      isBreakingAccepted: ({ acceptedBreaking }) => acceptedBreaking,
      publishedBy: ({ publishedBy: subject }) => ({ subject }),
      publishedAt: ({ createdAt }) => createdAt,
      isLive: ({ number }) => number === registry().live.number,
      supergraphSdl: async (version, _args, { principal }) => {
        if (!can(principal, 'subgraph:read')) return null;
        if ('supergraphSdl' in version) return version.supergraphSdl;
        return (await registry().version(version.number))?.supergraphSdl ?? null;
      },
    },
    SchemaVersionConnection: connection,
    SchemaCheckConnection: connection,
    SchemaVersionSubgraph: {
      endpoint: ({ endpoint }, _args, { principal }) => (can(principal, 'subgraph:read') ? endpoint : null),
    },
    SchemaChange: {
      coordinate: ({ where }) => where,
      use: ({ usedAs }, _args, context: SubgraphContext) =>
        usedAs.length === 0 ? null : context.loaders.load(uses, usedAs),
    },
    SchemaFinding: {
      rule: ({ rule }) => schemaRule(rule),
      coordinate: ({ where }) => where,
      remedy: ({ cure }) => cure,
    },
    SchemaCheck: {
      id: ({ _id }) => _id,
      subgraph: ({ subgraph }) => list.one(subgraph) ?? null,
      subgraphName: ({ subgraph }) => subgraph,
      hasPassed: ({ passed }) => passed,
      checkedBy: ({ checkedBy: subject }) => ({ subject }),
      checkedAt: ({ createdAt }) => createdAt,
    },
  };
}

function queries(registry: () => Registry, list: SubgraphList): NonNullable<RootResolvers['Query']> {
  return {
    subgraphs: () => list.all(),
    schemaVersions: (_parent, { first, after }) => registry().versions(first ?? 20, after),
    schemaVersion: (_parent, { number }) => registry().version(number ?? null),
    schemaDiff: async (_parent, { from, to }) => (await registry().diff(from, to))?.slice(0, 500) ?? null,
    schemaChecks: (_parent, { subgraph, first, after }) =>
      registry().checks(subgraph ?? null, first ?? 20, after),
    schemaUse: (_parent, { coordinate }) => registry().useOfCoordinate(coordinate),
  };
}

function mutations(registry: () => Registry, list: SubgraphList): NonNullable<RootResolvers['Mutation']> {
  return {
    registerSubgraph: async (_parent, { input }, { principal }) => {
      const { name, endpoint, typePrefix } = input;
      const registration = { name, endpoint, typePrefix: typePrefix ?? null };
      const { subgraph, userErrors } = await registry().register(registration, principal);
      return { subgraph: subgraph && (list.one(subgraph._id) ?? null), userErrors };
    },
    checkSchema: (_parent, { input }, { principal, requestId }) =>
      registry().check(schemaRequest(input), { principal, requestId }),
    publishSchema: (_parent, { input }, { principal, requestId }) => {
      const { isBreakingAccepted, note } = input;
      const call = { principal, requestId, acceptBreaking: isBreakingAccepted ?? false, note: note ?? null };
      return registry().publish(schemaRequest(input), call);
    },
    rollbackSchema: (_parent, { input }, { principal, requestId }) => {
      const { subgraph, version, note } = input;
      const call = { principal, requestId, acceptBreaking: true, note: note ?? null };
      return registry().rollback({ subgraph: subgraph ?? null, version: version ?? null }, call);
    },
    withdrawSubgraph: (_parent, { input }, { principal, requestId }) => {
      const { subgraph, isBreakingAccepted, isUnregistered, note } = input;
      const call = { principal, requestId, acceptBreaking: isBreakingAccepted ?? false, note: note ?? null };
      return registry().withdraw({ subgraph, unregister: isUnregistered ?? false }, call);
    },
  };
}

function schemaRequest({ subgraph, sdl, agentOperations }: CheckSchemaInput): SchemaRequest {
  return { subgraph, sdl: sdl ?? null, agentOperations: agentOperations ?? null };
}

function open({ registry }: GraphOptions): Registry {
  const found = registry();
  if (found) return found;
  throw new DomainError(
    'SERVICE_UNAVAILABLE',
    'The gateway serves a supergraph from a file and has no schema registry; start it with a database to have one',
  );
}

/** The part of a mutation's arguments that identifies the owner. */
const named = (field: 'name' | 'subgraph') => (call: { readonly args: unknown }) => {
  const { input } = call.args as { input: Readonly<Record<string, unknown>> };
  const name = input[field];
  return typeof name === 'string' ? name : null;
};

/** Policies of the fields; the registry also checks ownership. */
export const graphPolicies: Policies = {
  'Query.subgraphs': { action: 'experiment:read' },
  'Query.schemaVersions': { action: 'schema:read' },
  'Query.schemaVersion': { action: 'schema:read' },
  'Query.schemaDiff': { action: 'schema:read' },
  'Query.schemaUse': { action: 'schema:read' },
  'Query.schemaChecks': { action: 'schema:read' },
  'Mutation.registerSubgraph': { action: 'subgraph:register', experiment: named('name') },
  'Mutation.checkSchema': { action: 'schema:check', experiment: named('subgraph') },
  'Mutation.publishSchema': { action: 'schema:publish', experiment: named('subgraph') },
  'Mutation.rollbackSchema': { action: 'schema:publish', experiment: named('subgraph') },
  'Mutation.withdrawSubgraph': { action: 'schema:publish', experiment: named('subgraph') },
};
